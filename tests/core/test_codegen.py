"""Generated scripts: they run on their own, assert the screen's numbers, and no text can change what they do.

The scripts run in one fresh process (torch is slow to import), each in a namespace of its own.
"""

from __future__ import annotations

import ast
import builtins
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from attention_core.codegen import to_code
from attention_core.embeddings import EMBEDDINGS
from attention_core.experiment import Experiment
from attention_core.experiment.recipes import SCORES, WEIGHTS
from attention_core.masks import Blocks, Causal, Dilated, Documents, Explicit, Global, Padding, Prefix, Window
from attention_core.positions import POSITIONS
from attention_core.presets import PRESETS
from attention_core.tokens import TOKENIZERS

SUN = "The sun rises in the east"
SOURCE = "the moon sets in the west at night"

# Runs every script of a folder in a namespace of its own and reports what happened to each, as JSON.
RUNNER = """
import contextlib, io, json, pathlib, runpy, sys, traceback
report = {}
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.py")):
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            runpy.run_path(str(path), run_name="__main__")
        error = None
    except BaseException:
        error = traceback.format_exc()
    ours = "attention_core" in sys.modules
    report[path.stem] = {"error": error, "printed": printed.getvalue(), "ours": ours}
print(json.dumps(report))
"""


def run_all(folder: Path, scripts: dict[str, str]) -> dict[str, dict[str, Any]]:
    folder.mkdir(exist_ok=True)
    for name, script in scripts.items():
        (folder / f"{name}.py").write_text(script, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", "-c", RUNNER, str(folder)],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    assert set(report) == set(scripts)
    return report


def experiments() -> dict[str, Experiment]:
    """Every choice at least once, and the combinations in which the pieces of a script meet."""
    made = {f"preset_{example.id}".replace("-", "_"): example.experiment for example in PRESETS}
    for mode in ("self", "causal", "cross"):
        for position in POSITIONS:
            made[f"{mode}_{position}"] = Experiment(SUN, SOURCE, mode, position=position, num_heads=3, d_model=15)
        for weights in WEIGHTS:
            for embedding in EMBEDDINGS:
                made[f"{mode}_{weights}_{embedding}"] = Experiment(
                    SUN,
                    SOURCE,
                    mode,
                    weights=weights,
                    embedding=embedding,
                    seed=11,
                    position="sinusoidal",
                    bias=True,
                )
    for score in SCORES:
        made[f"score_{score}"] = Experiment(SUN, score=score, temperature=0.7, mode="causal", position="alibi")
        made[f"score_{score}_cross"] = Experiment(SUN, SOURCE, "cross", score=score, num_heads=2, num_kv_heads=1)
    for kv_heads in (1, 2, 3, 6):
        made[f"grouped_{kv_heads}"] = Experiment(
            SUN,
            num_heads=6,
            num_kv_heads=kv_heads,
            d_model=30,
            d_k=7,
            d_v=11,
            position="transformer_xl",
            bias=True,
        )
        made[f"built_grouped_{kv_heads}"] = Experiment(
            SUN, num_heads=6, num_kv_heads=kv_heads, d_model=48, weights="hand_built", bias=kv_heads == 2
        )
        made[f"article_grouped_{kv_heads}"] = Experiment(
            SUN,
            SOURCE,
            "cross",
            num_heads=6,
            num_kv_heads=kv_heads,
            d_model=6,
            weights="article",
            out_proj=False,
        )
    masks = {
        "window": Window(2),
        "dilated": Dilated(2, 3),
        "blocks": ~Blocks(2),
        "prefix": Causal() | Prefix(2),
        "global": Window(1) | Global((0, 3)),
        "documents": Documents((0, 0, 1, 1, 1, 2)),
        "padding": Padding((4,)),
        "explicit": Explicit(("100000", "110000", "000000", "111111", "101010", "000001")),
        "nothing": Explicit(("000000",) * 6),
        "offset": Causal(-1),
    }
    for name, mask in masks.items():
        made[f"mask_{name}"] = Experiment(
            SUN, mask=mask, position="shaw", mode="causal" if name == "explicit" else "self"
        )
    for tokenizer in TOKENIZERS:
        made[f"tokens_{tokenizer}"] = Experiment("Ärger & 你好 👩‍👩‍👧", tokenizer=tokenizer, dropout=0.5)
    made["narrow"] = Experiment(SUN, weights="hand_built", num_heads=8)
    made["odd"] = Experiment(SUN, weights="hand_built", num_heads=3, d_model=19, d_k=5, d_v=23, position="rope")
    made["one_token"] = Experiment("a", num_heads=1, d_model=1, position="rope")
    made["long"] = Experiment(
        " ".join(f"w{i % 60}" for i in range(200)), weights="hand_built", mode="causal", dropout=0.2
    )
    return made


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    scripts = {name: to_code(experiment) for name, experiment in experiments().items()}
    return run_all(tmp_path_factory.mktemp("scripts"), scripts)


@pytest.mark.parametrize("name", experiments())
def test_the_script_runs_and_agrees(report: dict[str, dict[str, Any]], name: str) -> None:
    assert report[name]["error"] is None, report[name]["error"]
    assert report[name]["printed"].endswith("Everything agrees.\n")
    assert not report[name]["ours"]  # it needs nothing of this project


def test_the_script_prints_the_weights(report: dict[str, dict[str, Any]]) -> None:
    weights = experiments()["preset_article_self"].run().heads.weights[0]
    printed = report["preset_article_self"]["printed"]
    numbers = [float(text) for text in re.findall(r"\d\.\d{4}", printed)]
    assert numbers == pytest.approx(weights.flatten().tolist(), abs=6e-5)


@pytest.mark.parametrize("name", experiments())
def test_the_script_imports_torch_and_the_standard_library_alone(name: str) -> None:
    tree = ast.parse(to_code(experiments()[name]))
    imported = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    assert imported <= {"torch", "math", "hashlib"}
    assert not any(isinstance(node, ast.ImportFrom) for node in ast.walk(tree))
    known = {
        *dir(builtins),
        *(n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)),
    }
    known |= {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)} | {
        "torch",
        "math",
        "hashlib",
        "F",
    }
    known |= {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
    assert {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} <= known


def test_it_ends_with_pytorchs_own_attention_where_that_can_express_the_case() -> None:
    for name, experiment in experiments().items():
        script = to_code(experiment)
        if experiment.score == "additive":
            assert "assert torch.allclose(theirs" not in script and "cannot express the" in script, name
        else:
            assert "F.scaled_dot_product_attention(" in script and "assert torch.allclose(theirs" in script, name


CHANGES = {
    "a weight of the screen": (r"first_row = \[1\.0", "first_row = [0.9"),
    "the last row": (r"last_row = \[0\.", "last_row = [0.9"),
    "the scale": (r"scale = 1\.0 / math\.sqrt\(d_k\)", "scale = 1.0 / d_k"),
    "the mask": (r"return k <= q\n", "return k < q + 2\n"),
    "a word": ("'sun'", "'son'"),
    "the seed": ("seed = 0\n", "seed = 1\n"),
    "queries for keys": (r"k = source @ W_k", "k = source @ W_q"),
    "the output": (r"output = concat @ W_o", "output = 1.01 * concat @ W_o"),
    "what SDPA gets": (r"attn_mask=allowed", "attn_mask=None"),
    "a sum": (r'\("weights", weights, ', '("weights", weights, 1.0 + '),
}


def test_the_assertions_are_alive(tmp_path: Path) -> None:
    """Each change of the script makes it fail."""
    script = to_code(Experiment(SUN, mode="causal"))
    changed = {}
    for name, (pattern, replacement) in CHANGES.items():
        changed[name.replace(" ", "_")], count = re.subn(pattern, replacement, script, count=1)
        assert count == 1, name
    for name, outcome in run_all(tmp_path / "changed", changed).items():
        assert outcome["error"] is not None and "AssertionError" in outcome["error"], name


HOSTILE = [
    '"""', "'''", "\\", '\\"', "\\'); raise SystemExit(7) #",
    "'] + [__import__('os').system('echo hacked')] + ['", "a\nimport os\nos._exit(9)", "a\r\nb",
    "\u2028\u2029 x", "\x00 \x1b[31m x", "{x} %s {0}", "# comment", "\N{RIGHT-TO-LEFT OVERRIDE}abc",
    "${jndi}", "é" * 40, "\ufeff bom", "\x0c\x0b x", "f'{1/0}'",
]  # fmt: skip


def test_hostile_texts_stay_texts(tmp_path: Path) -> None:
    made = {}
    for number, text in enumerate(HOSTILE):
        for tokenizer in ("word", "character"):
            made[f"hostile_{number}_{tokenizer}"] = Experiment(
                text, source_text=text, mode="cross", tokenizer=tokenizer, num_heads=1, d_model=4
            )
    scripts = {name: to_code(experiment) for name, experiment in made.items()}
    for name, experiment in made.items():
        tree = ast.parse(scripts[name])
        tokens = next(
            ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "tokens"
        )
        assert tokens == [token.text for token in experiment.tokens()]
        assert scripts[name].isprintable() or all(c.isprintable() or c == "\n" for c in scripts[name])
    for name, outcome in run_all(tmp_path / "hostile", scripts).items():
        assert outcome["error"] is None, (name, outcome["error"])
        assert "hacked" not in outcome["printed"].replace("echo hacked", "")


def test_half_characters_never_reach_a_script() -> None:
    with pytest.raises(ValueError, match="half a character"):
        Experiment("a \ud800 b")


def test_the_script_is_a_lesson() -> None:
    """Short enough to read, with shapes beside the tensors, in lines that fit."""
    script = to_code(Experiment(SUN, mode="causal"))
    lines = script.splitlines()
    assert len(lines) < 140 and max(map(len, lines)) <= 110
    assert script.count("# (") >= 15
    assert script == to_code(Experiment(SUN, mode="causal"))
    for example in PRESETS:
        assert max(map(len, to_code(example.experiment).splitlines())) <= 110


def test_making_a_script_leaves_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    to_code(Experiment(SUN))
    assert torch.equal(before, torch.random.get_rng_state())

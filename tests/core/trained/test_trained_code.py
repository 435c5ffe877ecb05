"""The script that trains the same model alone: the same numbers as ours, in a process that knows torch alone."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from attention_core.codegen.training import training_code
from attention_core.trained.plan import LIVE, Plan
from attention_core.trained.training import MEASURED
from attention_core.trained.watch import observe

# One process for all scripts, since torch is slow to import.
RUNNER = """
import contextlib, io, pathlib, runpy, sys
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.py")):
    print("##", path.stem)
    runpy.run_path(str(path), run_name="__main__")
assert "attention_core" not in sys.modules
"""
LINE = re.compile(r"step (\d+)  loss (\S+)  accuracy (\S+)  alignment (\S+)")


def plan_of(name: str) -> Plan:
    return replace(Plan.of(name), seed=4, heads=2, d_model=32, rate=0.01)


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[float, ...]]]:
    folder = tmp_path_factory.mktemp("scripts")
    for name in LIVE:
        (folder / f"{name}.py").write_text(training_code(plan_of(name), steps=9, every=4), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", "-c", RUNNER, str(folder)], capture_output=True, text=True, cwd=folder, timeout=300
    )
    assert done.returncode == 0, done.stderr
    parts = re.split(r"^## (\w+)$", done.stdout, flags=re.MULTILINE)[1:]
    return {
        name: [tuple(float(number) for number in found) for found in LINE.findall(text)]
        for name, text in zip(parts[::2], parts[1::2], strict=True)
    }


@pytest.mark.parametrize("name", LIVE)
def test_the_script_prints_our_numbers(name: str, printed: dict[str, list[tuple[float, ...]]]) -> None:
    training = plan_of(name).training()
    batch = training.task.batch("held_out", MEASURED, 4)
    assert [found[0] for found in printed[name]] == [4, 8, 9]
    for step, loss, accuracy, alignment in printed[name]:
        while training.done < step:
            training.step()
        ours = observe(training.task, training.model, batch, training.done, training.loss)
        assert (loss, alignment) == pytest.approx((ours.loss, ours.alignment), abs=2e-5)
        assert accuracy == pytest.approx(ours.accuracy, abs=1.5 / MEASURED if name != "induction" else 2e-3)


@pytest.mark.parametrize("name", LIVE)
def test_the_script_needs_torch_and_the_standard_library(name: str) -> None:
    plan = Plan.of(name)
    tree = ast.parse(training_code(plan))
    imported = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    assert imported - {"torch"} <= set(sys.stdlib_module_names) and "torch" in imported
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert f"steps, every = {plan.steps}, 10" in training_code(plan)


def test_the_script_is_clean_code(tmp_path: Path) -> None:
    for name in LIVE:
        (tmp_path / f"{name}.py").write_text(training_code(Plan.of(name)), encoding="utf-8")
    rules = ["--select", "E,F,B", "--ignore", "E501", "--isolated", "--no-cache"]
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", *rules, str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_wrong_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="steps=0"):
        training_code(Plan.of("reversal"), steps=0)
    with pytest.raises(ValueError, match="every=0"):
        training_code(Plan.of("reversal"), every=0)

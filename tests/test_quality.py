"""Lint, types, and what must not be here: markup from strings, pickles, global randomness, loose ends."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# What a visitor's input can reach.
SOURCES = ("app.py", "pages", "playground", "attention_viz", "attention_core")
WRITTEN = (
    *SOURCES,
    "benchmarks",
    "docs",
    "tests",
    "README.md",
    "CONTRIBUTING.md",
    "pyproject.toml",
    ".streamlit",
    ".ci",
    "deploy",
    "docs",
    "requirements.txt",
    "requirements-dev.txt",
    "requirements-pretrained.txt",
)
TEXT = {".py", ".js", ".css", ".html", ".md", ".toml", ".txt", ".json", ".yml", ".yaml", ".po", ""}
THIS = Path(__file__).resolve()


def files(names: tuple[str, ...], suffixes: set[str]) -> Iterator[Path]:
    for name in names:
        top = ROOT / name
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            ours = path != THIS and "__pycache__" not in path.parts
            if ours and path.is_file() and path.suffix in suffixes:
                yield path


def lines_with(pattern: str, names: tuple[str, ...], suffixes: set[str]) -> list[str]:
    """`file:line: text` of every line that matches."""
    expression = re.compile(pattern)
    return [
        f"{path.relative_to(ROOT).as_posix()}:{number}: {line.strip()}"
        for path in files(names, suffixes)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if expression.search(line)
    ]


def calls(path: Path) -> Iterator[tuple[ast.Call, str]]:
    """Every call in a file, with the dotted name of what is called."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            yield node, ast.unparse(node.func)


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_lint() -> None:
    done = run("ruff", "check", "--no-cache", ".")
    assert done.returncode == 0, done.stdout + done.stderr


def test_types() -> None:
    done = run("mypy")
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_markup_is_made_from_strings() -> None:
    """Tokens are written by strangers: they go on the page as text."""
    [one] = lines_with(r"unsafe_allow_html\s*=\s*True", SOURCES, {".py"})  # round words without a "<": test_folded.py
    assert one.startswith("playground/folded.py:"), one
    assert not lines_with(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function",
        SOURCES,
        {".js", ".html"},
    )
    for path in files(SOURCES, {".py"}):
        for call, name in calls(path):
            if name.endswith(".html") and name.startswith("st."):  # style sheets and the like, written by us
                fixed = all(isinstance(a, ast.Constant) or ast.unparse(a).isupper() for a in call.args)
                assert fixed, f"{path.relative_to(ROOT)}:{call.lineno}: {name} of what is not a constant"


def test_no_pickle_and_no_code_from_input() -> None:
    assert not lines_with(
        r"^\s*(import|from)\s+(pickle|cloudpickle|dill|joblib|marshal|shelve)\b", SOURCES, {".py"}
    )
    for path in files(SOURCES, {".py"}):
        for call, name in calls(path):
            where = f"{path.relative_to(ROOT)}:{call.lineno}"
            assert name not in ("eval", "exec", "compile", "os.system"), where
            if name in ("torch.load", "np.load", "numpy.load"):
                safe = {"torch.load": ("weights_only", True)}.get(name, ("allow_pickle", False))
                given = {word.arg: getattr(word.value, "value", None) for word in call.keywords}
                assert given.get(safe[0]) is safe[1], f"{where}: {name} needs {safe[0]}={safe[1]}"


def test_randomness_comes_from_a_local_generator() -> None:
    drawing = {
        "torch.rand",
        "torch.randn",
        "torch.randint",
        "torch.randperm",
        "torch.normal",
        "torch.bernoulli",
        "torch.multinomial",
    }
    for path in files(("attention_core", "attention_viz"), {".py"}):
        for call, name in calls(path):
            where = f"{path.relative_to(ROOT)}:{call.lineno}: {name}"
            assert name not in ("torch.manual_seed", "torch.seed", "random.seed", "np.random.seed"), where
            if name in drawing:
                assert any(word.arg == "generator" for word in call.keywords), f"{where} without generator="


def test_public_names_of_the_mathematics_are_documented() -> None:
    missing = []
    for path in files(("attention_core",), {".py"}):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if path.name != "__init__.py" and ast.get_docstring(tree) is None:
            missing.append(path.name)
        for node in tree.body:
            if (
                isinstance(node, ast.FunctionDef | ast.ClassDef)
                and not node.name.startswith("_")
                and ast.get_docstring(node) is None
            ):
                missing.append(f"{path.name}:{node.lineno} {node.name}")
    assert not missing


@pytest.mark.parametrize(
    "pattern",
    [
        r"\b(TODO|FIXME)\b",
        r"(?<![\w.])/(home|root|Users|work|tmp)/\w",  # a path of one person's machine
        r"<{7} |>{7} ",
    ],
)
def test_no_loose_ends(pattern: str) -> None:
    assert not lines_with(pattern, WRITTEN, TEXT)

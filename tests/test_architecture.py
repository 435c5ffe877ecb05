"""Who may import whom: import-linter for the packages, the syntax tree for the scripts around them."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted((ROOT / "pages").glob("*.py"))
SCRIPTS = [ROOT / "app.py", *PAGES]
PACKAGES = ("attention_core", "attention_viz", "playground")
LONGEST_PAGE = 160  # lines; aim under 120: a page chooses, runs and draws

# The mathematics: torch and small pure helpers.
CORE_NEEDS = {"jaxtyping", "numpy", "regex", "safetensors", "torch"}
# The optional extra `pretrained`.
EXTRA = {"huggingface_hub", "tokenizers", "transformers"}
# What starts before anything is installed.
STANDARD_LIBRARY_ONLY = [
    ROOT / "playground" / "__main__.py",
    ROOT / "playground" / "bootstrap.py",
    ROOT / "tests" / "__main__.py",
    ROOT / "tests" / "chromium.py",
]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> set[str]:
    """The modules that a file imports, wherever in it; relative imports are written out."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("." * node.level + (node.module or ""))
            if node.level == 0 and node.module:
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def top_level(path: Path) -> set[str]:
    return {module.split(".")[0] for module in imports(path) if not module.startswith(".")}


def test_imports_point_downwards_only() -> None:
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command; lint_imports_command()",
    ]
    run = subprocess.run(
        [*command, "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "3 kept, 0 broken" in run.stdout, run.stdout


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_do_not_know_the_scripts_above_them(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        assert not top_level(path) & {"app", "pages", "tests", "benchmarks"}, name_of(path)


def test_the_mathematics_needs_torch_and_small_helpers_only() -> None:
    allowed = CORE_NEEDS | set(sys.stdlib_module_names) | {"attention_core"}
    for path in (ROOT / "attention_core").rglob("*.py"):
        extra = EXTRA if path.parent.name == "pretrained" else set()
        assert top_level(path) <= allowed | extra, f"{name_of(path)} imports {sorted(top_level(path) - allowed)}"


def test_the_optional_extra_is_imported_only_when_it_is_used() -> None:
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                assert not {name.split(".")[0] for name in names} & EXTRA, f"{name_of(path)}:{node.lineno}"


@pytest.mark.parametrize("path", STANDARD_LIBRARY_ONLY, ids=name_of)
def test_what_runs_before_the_installation_needs_the_standard_library_only(path: Path) -> None:
    allowed = set(sys.stdlib_module_names) | {"playground", "tests"}
    assert top_level(path) <= allowed
    ours = {module for module in imports(path) if module.split(".")[0] in ("playground", "tests")}
    assert ours <= {
        "playground",
        "playground.bootstrap",
        "playground.bootstrap.main",
        "tests",
        "tests.chromium",
    }


def test_nothing_runs_when_the_package_is_imported() -> None:
    """Otherwise `python3 -m playground` would import what it is about to install."""
    assert (ROOT / "playground" / "__init__.py").read_text(encoding="utf-8") == ""
    assert (ROOT / "tests" / "__init__.py").read_text(encoding="utf-8") == ""


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_a_page_is_thin(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST_PAGE, f"{name_of(path)} has {lines} lines: move what it shares into playground/"


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_a_page_computes_nothing_and_knows_no_other_page(path: Path) -> None:
    others = {page.stem for page in PAGES} - set(PACKAGES) | {"app", "pages"}
    assert not top_level(path) & ({"torch", "numpy"} | others)


def test_pages_are_scripts_without_a_package() -> None:
    assert not (ROOT / "pages" / "__init__.py").exists()


@pytest.mark.parametrize("path", SCRIPTS, ids=name_of)
def test_the_scripts_use_public_names_only(path: Path) -> None:
    private = {
        module
        for module in imports(path)
        if any(part.startswith("_") and part not in ("_", "__future__") for part in module.split("."))
    }
    assert not private


WIDGETS = {
    "checkbox", "number_input", "pills", "segmented_control", "select_slider", "selectbox", "slider", "text_area",
    "text_input", "toggle",
}  # fmt: skip
DRAWING = sorted({*PAGES, *(ROOT / "playground").rglob("*.py")} - {ROOT / "playground" / "told.py"})


@pytest.mark.parametrize("path", DRAWING, ids=name_of)
def test_widgets_are_those_that_tell_their_value(path: Path) -> None:
    """Of `playground.told`: Streamlit's own lose a link's value in a browser that is slow to load them."""
    used = {
        node.attr
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and not (isinstance(node.value, ast.Name) and node.value.id == "told")
    }
    assert used & WIDGETS == set()

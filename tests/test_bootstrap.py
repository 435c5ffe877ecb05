"""The start on a machine with nothing but Python: stamps, pins, and refusals in words."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from playground import bootstrap


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty repository whose requirements nothing satisfies, and a pip that only writes its stamps."""
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    (tmp_path / "one.txt").write_text("# a comment\nno-such-package==1.0\n", encoding="utf-8")
    (tmp_path / "two.txt").write_text("no-such-package-either==2.0\n", encoding="utf-8")
    return tmp_path


def pip_that_writes_down(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    calls: list[list[str]] = []

    def install(python: Path, requirements: list[Path]) -> None:
        calls.append([file.name for file in requirements])
        for file in requirements:
            bootstrap.stamp_of(file).write_text(bootstrap.digest(file), encoding="utf-8")

    monkeypatch.setattr(bootstrap, "install", install)
    return calls


def test_an_environment_is_made_once_and_installs_only_what_changed(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = pip_that_writes_down(monkeypatch)
    one, two = repository / "one.txt", repository / "two.txt"
    python = bootstrap.environment_python(one)
    assert python == bootstrap.venv_python(repository / ".venv")
    assert bootstrap.works(python)
    assert calls == [["one.txt"]]

    bootstrap.environment_python(one)
    assert calls == [["one.txt"]]
    bootstrap.environment_python(one, two)
    assert calls == [["one.txt"], ["two.txt"]]
    one.write_text("no-such-package==1.1\n", encoding="utf-8")
    bootstrap.environment_python(one, two)
    assert calls == [["one.txt"], ["two.txt"], ["one.txt"]]

    python.unlink()  # as when the Python it was made with has gone
    bootstrap.environment_python(one, two)
    assert calls[-1] == ["one.txt", "two.txt"]
    assert bootstrap.works(python)


def test_a_fitting_python_is_used_as_it_is(repository: Path) -> None:
    fitting = repository / "fitting.txt"
    fitting.write_text(f"pytest=={pytest.__version__}  # a comment\n", encoding="utf-8")
    assert bootstrap.environment_python(fitting) == Path(sys.executable)
    assert not (repository / ".venv").exists()


@pytest.mark.parametrize("line", ["pytest==0.0.1", "pytest>=1", "no-such-package==1.0", "-r other.txt"])
def test_what_is_not_pinned_and_installed_does_not_fit(tmp_path: Path, line: str) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text(line + "\n", encoding="utf-8")
    assert not bootstrap.is_installed(file)


def test_a_folder_that_is_no_environment_is_left_alone(repository: Path) -> None:
    (repository / ".venv").mkdir()
    (repository / ".venv" / "letters.txt").write_text("dear diary", encoding="utf-8")
    with pytest.raises(SystemExit, match="is in the way"):
        bootstrap.environment_python(repository / "one.txt")
    assert (repository / ".venv" / "letters.txt").exists()


def test_a_failed_installation_leaves_no_stamp(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / ".venv").mkdir()
    failed = subprocess.CompletedProcess([], 7)
    monkeypatch.setattr(bootstrap.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(SystemExit, match=re.escape("could not install one.txt (exit status 7)")):
        bootstrap.install(Path(sys.executable), [repository / "one.txt"])
    assert not bootstrap.has_stamp(repository / "one.txt")


def test_line_endings_do_not_change_a_digest(tmp_path: Path) -> None:
    unix, windows = tmp_path / "unix.txt", tmp_path / "windows.txt"
    unix.write_bytes(b"a==1\nb==2\n")
    windows.write_bytes(b"a==1\r\nb==2\r\n")
    assert bootstrap.digest(unix) == bootstrap.digest(windows)


@pytest.mark.parametrize("module", ["playground", "tests"])
def test_an_old_python_is_refused_in_words(root: Path, module: str) -> None:
    """The entry is compiled and run with the version number of an old Python."""
    source = (root / module / "__main__.py").read_text(encoding="utf-8")
    program = f"import sys; sys.version_info = (3, 9, 1); exec(compile({source!r}, 'main', 'exec'))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.strip() == "The playground needs Python 3.11 or later; this is Python 3.9."


def test_the_pins_lie_within_the_ranges_of_the_project(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for file, ranges in (
        ("requirements.txt", project["dependencies"]),
        ("requirements-dev.txt", project["optional-dependencies"]["dev"]),
        ("requirements-pretrained.txt", project["optional-dependencies"]["pretrained"]),
    ):
        wanted = {requirement.name: requirement.specifier for requirement in map(Requirement, ranges)}
        lines = (root / file).read_text(encoding="utf-8").splitlines()
        pinned = [Requirement(line) for line in lines if line and not line.startswith("#")]
        pins = {one.name: str(one.specifier).removeprefix("==") for one in pinned}
        assert set(pins) == set(wanted)
        assert {one.name: str(one.marker) for one in pinned} == {
            one.name: str(one.marker) for one in map(Requirement, ranges)
        }
        assert all(wanted[name].contains(version) for name, version in pins.items())

"""Makes the environment that the app and its tests run in, then hands over to them.

`python3 -m playground` and `python3 -m tests` start here on a machine that has Python and nothing else, so
this file uses the standard library only.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
REQUIREMENTS = ROOT / "requirements.txt"
REQUIREMENTS_DEV = ROOT / "requirements-dev.txt"

_PIN = re.compile(r"([A-Za-z0-9._-]+)==([^\s;#]+)")


def say(message: str) -> None:
    """Tells the person at the terminal what happens, in order with what pip and the tests print."""
    print(message, flush=True)


def environment_python(*requirements: Path) -> Path:
    """The Python that has everything in `requirements` installed: this one if it fits, else that of `.venv`.

    Creates `.venv` in the repository when there is none; installs what its stamps do not show as installed.
    Raises SystemExit with a message in words when that cannot be done.
    """
    if Path(sys.prefix).resolve() != VENV.resolve() and all(is_installed(file) for file in requirements):
        return Path(sys.executable)
    python = venv_python(VENV)
    missing = [file for file in requirements if not has_stamp(file)]
    if python.exists() and not missing:
        return python
    if not works(python):
        create_venv()
        missing = list(requirements)
    install(python, missing)
    return python


def venv_python(folder: Path) -> Path:
    """Where the interpreter of a virtual environment lies, on this operating system."""
    return folder / "Scripts" / "python.exe" if os.name == "nt" else folder / "bin" / "python"


def is_installed(requirements: Path) -> bool:
    """True if the running Python has the versions that the file pins (a local part, +cpu, may follow).

    Also what it pins for some platforms only: where that is missing, the app gets an environment of its own.
    """
    for line in requirements.read_text(encoding="utf-8").splitlines():
        wanted = line.split("#")[0].split(";")[0].strip()
        if not wanted:
            continue
        pin = _PIN.fullmatch(wanted)
        if pin is None:
            return False
        try:
            found = metadata.version(pin[1])
        except metadata.PackageNotFoundError:
            return False
        if found.split("+")[0] != pin[2].split("+")[0]:
            return False
    return True


def digest(requirements: Path) -> str:
    """The hash of a requirements file, the same whatever line endings git wrote."""
    return hashlib.sha256(requirements.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def stamp_of(requirements: Path) -> Path:
    return VENV / f"{requirements.name}.sha256"


def has_stamp(requirements: Path) -> bool:
    """True if `.venv` says that this very file has been installed."""
    stamp = stamp_of(requirements)
    return stamp.is_file() and stamp.read_text(encoding="utf-8").strip() == digest(requirements)


def works(python: Path) -> bool:
    """True if this interpreter starts, is new enough and has pip."""
    if not python.exists():
        return False
    check = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    return subprocess.run([str(python), "-c", check], capture_output=True, check=False).returncode == 0


def create_venv() -> None:
    """Creates `.venv`, in place of one that does not work."""
    if (VENV.exists() or VENV.is_symlink()) and not (VENV / "pyvenv.cfg").is_file():
        raise SystemExit(f"{VENV} is in the way: it is no virtual environment. Move it away, then start again.")
    if VENV.exists():
        say("The environment in .venv does not work (any more), so it is made anew.")
    else:
        say("Creating an environment for the playground in .venv")
    try:
        venv.EnvBuilder(clear=True, with_pip=True, symlinks=os.name != "nt").create(VENV)
    except (OSError, subprocess.CalledProcessError) as error:
        shutil.rmtree(VENV, ignore_errors=True)
        raise SystemExit(
            f"Python could not create the environment in {VENV}: {error}\n"
            "On Debian and Ubuntu, `apt install python3-venv` (as root) adds what is missing."
        ) from None


def install(python: Path, requirements: Sequence[Path]) -> None:
    """Installs requirement files with pip and writes a stamp for each."""
    names = " and ".join(file.name for file in requirements)
    say(f"Installing {names} (the first time this takes some minutes)")
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    for file in requirements:
        command += ["-r", str(file)]
    status = subprocess.run(command, check=False).returncode
    if status != 0:
        raise SystemExit(f"pip could not install {names} (exit status {status}); the lines above say why.")
    for file in requirements:
        stamp_of(file).write_text(digest(file) + "\n", encoding="utf-8")


def hand_over(python: Path, *arguments: str) -> int:
    """Runs `python arguments...` in the repository, in place of this process where the system can do that."""
    os.chdir(ROOT)
    command = [str(python), *arguments]
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name != "nt":
        os.execv(command[0], command)
    # On Windows exec would give the prompt back while the program still runs.
    process = subprocess.Popen(command)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue  # Ctrl+C reached the program too, which ends in its own way


def main(arguments: Sequence[str]) -> int:
    """Starts the app: `streamlit run app.py` with the arguments given, e.g. `--server.port 8600`."""
    python = environment_python(REQUIREMENTS)
    os.environ.setdefault("STREAMLIT_SERVER_SHOW_EMAIL_PROMPT", "false")  # no question before the first start
    return hand_over(python, "-m", "streamlit", "run", "app.py", *arguments)

"""The browser that the tests drive: an installed one, else one that gets installed. Standard library only."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

VARIABLE = "PLAYGROUND_CHROMIUM"  # a person may name another browser here
_ON_PATH = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_ELSEWHERE = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
)
_DEBIAN_PACKAGES = ("chromium", "fonts-noto-cjk", "fonts-noto-color-emoji")


def find() -> str | None:
    """The executable of an installed Chromium or Chrome; None: take the one that Playwright downloads."""
    named = os.environ.get(VARIABLE)
    if named:
        return named
    on_path = next((path for name in _ON_PATH if (path := shutil.which(name))), None)
    return on_path or next((path for path in _ELSEWHERE if Path(path).is_file()), None)


def ensure(python: Path) -> None:
    """Installs a Chromium if none is there: from Debian's packages when root, else through Playwright."""
    if find() is not None:
        return
    if _is_debian_root():
        print("Installing Chromium for the browser tests", flush=True)
        done = _run("apt-get", "update") and _run("apt-get", "install", "-y", *_DEBIAN_PACKAGES)
        if done and find() is not None:
            return
    print("Fetching Playwright's Chromium for the browser tests", flush=True)
    if not _run(str(python), "-m", "playwright", "install", "chromium"):
        print("No Chromium could be installed, so the browser tests will fail.", flush=True)
        print(f"The environment variable {VARIABLE} can name one.", flush=True)


def _is_debian_root() -> bool:
    return shutil.which("apt-get") is not None and hasattr(os, "geteuid") and os.geteuid() == 0


def _run(*command: str) -> bool:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, check=False, env=environment).returncode == 0

"""The real app in a process of its own, and a real Chromium to open it. For browser tests and benchmarks alike."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Playwright, sync_playwright

from tests import chromium

ROOT = Path(__file__).resolve().parent.parent
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def free_port() -> int:
    """A port of the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serve(script: Path = ROOT / "app.py", **environment: str) -> Iterator[str]:
    """Run a Streamlit app on a free port of the loopback address and give its address; stopped at the end."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(script)]
    options = {"port": port, "address": "127.0.0.1", "headless": "true"}
    command += [f"--server.{name}={value}" for name, value in options.items()]
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(
            command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **environment}
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_until_healthy(server, address, log)
            yield address
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait_until_healthy(server: subprocess.Popen[bytes], address: str, log: object) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if server.poll() is not None:
            break
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=2) as answer,
        ):
            if answer.status == 200:
                return
        time.sleep(0.05)
    log.seek(0)  # type: ignore[attr-defined]
    raise RuntimeError(f"the app did not start:\n{log.read().decode(errors='replace')}")  # type: ignore[attr-defined]


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A headless Chromium; every context that is opened in it is as fresh as a new user."""
    playwright: Playwright
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium.find(), args=list(FLAGS))
        try:
            yield launched
        finally:
            launched.close()

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


class Server:
    """A Streamlit app in a process of its own, on the loopback address; `kill` and `start` it as often as needed."""

    def __init__(self, script: Path = ROOT / "app.py", port: int | None = None, **environment: str) -> None:
        self.port = port or free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._command = [sys.executable, "-m", "streamlit", "run", str(script)]
        options = {"port": self.port, "address": "127.0.0.1", "headless": "true"}
        self._command += [f"--server.{name}={value}" for name, value in options.items()]
        self._environment = {**os.environ, **environment}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process that serves."""
        assert self._process is not None, "not started"
        return self._process.pid

    def start(self) -> None:
        """Start, and wait until it is healthy; RuntimeError with what it said if it is not."""
        with tempfile.TemporaryFile() as log:
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, env=self._environment
            )
            try:
                _wait_until_healthy(self._process, self.address, log)
            except RuntimeError:
                self.kill()
                raise

    def stop(self) -> None:
        """End it as an operator does."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """End it at once, as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def server(script: Path = ROOT / "app.py", **environment: str) -> Iterator[Server]:
    """Run a Streamlit app on a free port of the loopback address; stopped at the end."""
    served = Server(script, **environment)
    try:
        served.start()
        yield served
    finally:
        served.stop()


@contextlib.contextmanager
def serve(script: Path = ROOT / "app.py", **environment: str) -> Iterator[str]:
    """The address of an app that runs meanwhile."""
    with server(script, **environment) as served:
        yield served.address


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

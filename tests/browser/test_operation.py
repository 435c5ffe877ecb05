"""A server with a full disk and no home: every page under its policy, a discreet log, and markup that stays text.

No regular file can grow in this process (RLIMIT_FSIZE is 0), home and temporary folder do not exist: whoever writes a
cache, a lock or a compiled module on the way gets an error, and nothing may come of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from playwright.sync_api import Browser

from tests import serving
from tests.browser.reading import settled
from tests.browser.test_safety import ELEMENTS, HOSTILE

SECRET = "Geheimtipp"  # stands for what a visitor writes; every form of it would be found
resource = pytest.importorskip("resource", reason="limits on a process are set in Unix's way")


class Server:
    """The app in a process that can write to nothing but its standard streams."""

    def __init__(self, nowhere: Path) -> None:
        port = serving.free_port()
        self.address = f"http://127.0.0.1:{port}"
        self.nowhere = nowhere
        folders = {name: str(nowhere / name.lower()) for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME")}
        options = [f"--server.port={port}", "--server.address=127.0.0.1"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", *options],
            cwd=serving.ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, **folders},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
        )
        self.log: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.log.append(line.decode(errors="replace").rstrip("\n"))

    def ask(self, path: str, content: bytes | None = None) -> tuple[int, str]:
        """Status and body."""
        request = urllib.request.Request(self.address + path, content, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode(errors="replace")
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode(errors="replace")

    def wait_until_ready(self) -> list[int]:
        """What /readyz said on the way."""
        seen: list[int] = []
        end = time.monotonic() + 90
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError):
                seen.append(self.ask("/readyz")[0])
                if seen[-1] == 200:
                    return seen
            time.sleep(0.02)
        raise AssertionError(f"never ready: {self.log[-20:]}")

    def wait_for_log(self, *pieces: str) -> None:
        """An answer may be here before its line in the log is."""
        end = time.monotonic() + 20
        while time.monotonic() < end and not all(any(piece in line for line in list(self.log)) for piece in pieces):
            time.sleep(0.05)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join(15)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    found = Server(tmp_path_factory.mktemp("operation") / "nowhere")
    try:
        found.readiness = found.wait_until_ready()  # type: ignore[attr-defined]
        yield found
    finally:
        found.stop()


def files() -> dict[Path, float]:
    """Every file of the app, with its last change."""
    kept = (path for path in serving.ROOT.rglob("*") if not {".venv", ".git", "__pycache__"} & set(path.parts))
    return {path: path.stat().st_mtime for path in kept if path.is_file()}


def test_pages_policy_log_and_disk(server: Server, chromium: Browser) -> None:
    before = files()
    complaints: list[str] = []
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(60_000)
    # Violations are reported as events too: those that a script swallowed in the console are seen all the same.
    context.add_init_script(
        "document.addEventListener('securitypolicyviolation', (event) => "
        "console.error('Content Security Policy: ' + event.violatedDirective + ' ' + event.blockedURI));"
    )
    page = context.new_page()
    page.on("console", lambda said: "Content Security Policy" in said.text and complaints.append(said.text[:300]))
    page.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))

    for name in sorted(script.stem for script in (serving.ROOT / "pages").glob("*.py")):
        text = f"one {SECRET} {' '.join(HOSTILE)}"
        query = urlencode({"text": text, "heads": "2", "width": "12", "utm": SECRET})
        page.goto(f"{server.address}/{name}?{query}")
        page.wait_for_selector("h1, h2, .ap-heatmap[data-painted]")
        settled(page)
        assert page.locator(".stException").all_inner_texts() == [], name
        made = page.evaluate(ELEMENTS)  # what a stranger wrote is text on every page
        assert made["inside"] == made["anchors"] == made["links"] == made["onerror"] == 0, name
        assert page.evaluate("document.querySelectorAll('img[src=x], svg[onload]').length") == 0, name
    # Something typed, wrong input, and the picture that "Save as PNG" makes.
    page.goto(server.address)
    page.wait_for_selector(".st-key-hero .ap-heatmap[data-painted]")
    settled(page)
    page.get_by_label("Sentence", exact=True).fill(f"a b {SECRET}")
    page.wait_for_url(lambda url: SECRET in url)
    settled(page)
    with page.expect_download() as download:
        page.locator(".st-key-hero .ap-tools").get_by_text("PNG", exact=True).click()
    assert download.value.suggested_filename.endswith(".png")
    sessions = next(line for line in server.ask("/metrics")[1].splitlines() if line.startswith("attention_sessions "))
    assert sessions == "attention_sessions 1.0"
    context.close()
    assert complaints == []

    good = json.dumps({"text": f"x {SECRET}"}).encode()
    assert server.ask("/api/attention?fields=weights", good)[0] == 200
    assert server.ask("/api/attention", json.dumps({"text": "x", SECRET: 1}).encode())[0] == 422
    assert server.ask(f"/api/{SECRET}")[0] == 404
    assert server.ask(f"/api/attention?{SECRET}=1", good)[0] == 400
    assert server.ask(f"/download/trace.json?text={SECRET}")[0] == 200
    assert server.ask(f"/download/{SECRET}.csv?text=a")[0] == 400
    assert server.ask(f"/{SECRET}")[0] in (200, 404)
    assert server.ask(f"/api/experiment?mask={quote(SECRET)}")[0] == 422

    metrics = server.ask("/metrics")[1]
    assert SECRET not in metrics
    for name in ("attention_reruns_total{", "attention_computations_total ", "attention_cache_hits_total "):
        assert any(line.startswith(name) for line in metrics.splitlines()), name
    server.wait_for_log('/api/attention', '/api/{path:path}', '"rerun"')
    log = list(server.log)
    assert SECRET.lower() not in "\n".join(log).lower()
    events = [json.loads(line) for line in log if line]
    seen = {(event.get("event"), event.get("page") or event.get("route")) for event in events}
    for wanted in (("ready", None), ("rerun", "playground"), ("rerun", "mask_lab"), ("request", "/api/attention")):
        assert wanted in seen
    assert ("request", "/api/{path:path}") in seen  # by its pattern, not by what was asked for
    assert all(event["ms"] >= 0 for event in events if event.get("event") == "rerun")
    assert not [event for event in events if event.get("level") == "error"]
    assert files() == before
    assert not server.nowhere.exists()


def test_it_was_not_ready_before_it_was(server: Server) -> None:
    seen = server.readiness  # type: ignore[attr-defined]
    assert set(seen) <= {200, 503} and seen[-1] == 200
    assert server.ask("/healthz") == (200, '{"status":"alive"}')
    assert server.ask("/readyz") == (200, '{"status":"ready"}')

"""What every answer carries, and what an operator may change of it; tests/browser sees that pages run under it."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest
import streamlit

import app
from playground.service import frames, headers, pace, settings, uploads
from tests.service.asgi import ask


@pytest.fixture(autouse=True)
def forget() -> None:
    for cached in (settings.frame_ancestors, headers.content_security_policy, headers.all_headers):
        cached.cache_clear()


def policy(path: str) -> dict[str, list[str]]:
    parts = ask("GET", path).headers["content-security-policy"].split("; ")
    return {words[0]: words[1:] for words in (part.split() for part in parts)}


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/api/docs", "/api/nothing", "/assets/x/y", "/download/x"])
def test_every_answer_has_them(path: str) -> None:
    found = ask("GET", path).headers
    assert found["x-content-type-options"] == "nosniff"
    assert found["referrer-policy"] == "same-origin"
    assert "camera=()" in found["permissions-policy"]
    assert "frame-ancestors *" in found["content-security-policy"]


def test_the_app_puts_them_on_streamlit_s_pages_too() -> None:
    wanted = [pace.Paced, headers.Headers, uploads.Uploads, frames.Frames]
    assert [middleware.cls for middleware in app.app._user_middleware] == wanted


def test_nothing_is_allowed_that_is_not_needed() -> None:
    found = policy("/healthz")
    assert found["default-src"] == found["base-uri"] == found["form-action"] == ["'none'"]
    assert "'unsafe-eval'" not in found["script-src"] and "'unsafe-inline'" not in found["script-src"]
    everything = " ".join(word for words in found.values() for word in words)
    assert "http" not in everything  # nobody but this server and those who frame it


def test_streamlit_s_inline_scripts_are_allowed_by_their_hash() -> None:
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    inline = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert inline
    for script in inline:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy("/healthz")["script-src"]


def test_the_page_of_the_interface_is_stricter_still() -> None:
    found = policy("/api/docs")
    style = re.search(r"<style>(.*?)</style>", ask("GET", "/api/docs").body.decode(), re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert found["style-src"] == [f"'sha256-{digest}'"] and "script-src" not in found


def test_a_download_keeps_its_own() -> None:
    answer = ask("GET", "/download/attention.html", {"text": "a b"})
    assert (answer.status, answer.headers["content-security-policy"]) == (200, "sandbox")


@pytest.mark.parametrize("given", ["'self' https://course.example.org", "'none'", "*", "https://*.example.org:8443"])
def test_who_may_frame_it_is_a_setting(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("ATTENTION_FRAME_ANCESTORS", given)
    assert policy("/healthz")["frame-ancestors"] == given.split()


@pytest.mark.parametrize("given", ["", "self; script-src *", "'unsafe-inline'", "https://a.org\nX-Evil: 1", "data:"])
def test_who_may_frame_it_cannot_say_anything_else(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("ATTENTION_FRAME_ANCESTORS", given)
    with pytest.raises(ValueError, match=r"ATTENTION_FRAME_ANCESTORS=.*allowed are"):
        settings.frame_ancestors()

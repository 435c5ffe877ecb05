"""The headers of every answer, Streamlit's pages included: what a browser may do with what we send.

Each exception in the Content-Security-Policy is there because something fails without it; docs/operating.md says what.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

import streamlit
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playground.service.settings import frame_ancestors

_INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
_CLOSED = (
    "accelerometer",
    "camera",
    "display-capture",
    "geolocation",
    "gyroscope",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "usb",
)


@cache
def content_security_policy() -> str:
    """The policy of the pages."""
    return "; ".join(
        f"{name} {' '.join(sources)}"
        for name, sources in {
            "default-src": ["'none'"],
            # blob: Streamlit hands the few lines that load the panel to the browser as a blob.
            # 'wasm-unsafe-eval': its protobuf library (long.js) multiplies 64-bit numbers in WebAssembly; no JavaScript
            # can be made from text by this.
            "script-src": ["'self'", "blob:", "'wasm-unsafe-eval'", *_inline_script_hashes()],
            # 'unsafe-inline': Streamlit (emotion), Plotly and KaTeX write style elements and attributes as they draw.
            "style-src": ["'self'", "'unsafe-inline'"],
            # data: and blob: icons in style sheets, and the picture that "Save as PNG" draws through.
            "img-src": ["'self'", "data:", "blob:"],
            # data: the shapes of KaTeX's smallest glyphs come inside its style sheet.
            "font-src": ["'self'", "data:"],
            "connect-src": ["'self'"],
            "manifest-src": ["'self'"],
            "base-uri": ["'none'"],
            "form-action": ["'none'"],
            "frame-ancestors": [frame_ancestors()],
        }.items()
    )


def _inline_script_hashes() -> list[str]:
    """The hashes of the scripts inside Streamlit's own page: read from it, so that a new version brings its own."""
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_bytes()
    digests = (hashlib.sha256(script).digest() for script in _INLINE_SCRIPT.findall(page))
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]


@cache
def all_headers() -> dict[str, str]:
    """What every answer carries, unless its route says otherwise."""
    return {
        "Content-Security-Policy": content_security_policy(),
        "X-Content-Type-Options": "nosniff",
        # An address holds the visitor's text: other servers are not told it.
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": ", ".join(f"{name}=()" for name in _CLOSED),
    }


class Headers:
    """ASGI middleware that adds `all_headers` to what does not have them."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; only the start of an HTTP answer is touched."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in all_headers().items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, with_headers)

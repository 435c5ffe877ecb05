"""The files that the browser loads from us: plotly.js out of the installed package, and the panel's own scripts.

Addresses carry a hash of the content, so that a browser may keep a file for good and still sees every new version.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

PANEL = Path(__file__).parent / "panel"
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css"}


@dataclass(frozen=True)
class Asset:
    """A file to serve: its media type, the bytes, and the same bytes compressed."""

    media_type: str
    body: bytes
    gzipped: bytes


def _asset(path: Path) -> Asset:
    body = path.read_bytes()
    # Level 4 costs a third of the time of level 6 and 2 % in size; it runs once, at the start.
    return Asset(MEDIA_TYPES[path.suffix], body, gzip.compress(body, 4))


def _digest(files: dict[str, Asset]) -> str:
    content = b"".join(name.encode() + asset.body for name, asset in sorted(files.items()))
    return hashlib.sha256(content).hexdigest()[:12]


@cache
def _plotly() -> dict[str, Asset]:
    # Found without importing the package, which takes long.
    spec = find_spec("plotly")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the package plotly is not installed")
    return {"plotly.min.js": _asset(Path(spec.submodule_search_locations[0]) / "package_data" / "plotly.min.js")}


@cache
def _panel() -> dict[str, Asset]:
    return {path.name: _asset(path) for path in PANEL.iterdir() if path.suffix in MEDIA_TYPES}


@cache
def addresses() -> dict[str, str]:
    """Where each file is served, relative to the app's root: `{"panel.js": "assets/<hash>/panel.js", ...}`.

    The panel's scripts import each other by relative name, so all of them stand under the hash of them all.
    """
    return {name: f"assets/{_digest(group)}/{name}" for group in (_plotly(), _panel()) for name in group}


@cache
def served() -> dict[str, Asset]:
    """The files by the address under which they are served."""
    files = _plotly() | _panel()
    return {address: files[name] for name, address in addresses().items()}

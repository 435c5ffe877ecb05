"""The description of the interface as a page to read: no script, nothing from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any

from playground.service.openapi import EXAMPLE
from playground.service.problem import MEDIA_TYPE

STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 46rem; margin: 2.5rem auto 4rem; padding: 0 1.2rem; }
h1 { font-size: 1.7rem; font-weight: 600; }
h2, h2 code { font-size: 1.15rem; font-weight: 600; }
h2 { margin-top: 2.4rem; }
h3 { font-size: 1rem; font-weight: 600; margin-top: 1.6rem; }
code, pre { font: 0.85rem/1.5 ui-monospace, monospace; }
pre { border: 1px solid var(--line); border-radius: 0.35rem; padding: 0.8rem 1rem; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.35rem 0.9rem 0.35rem 0; border-top: 1px solid var(--line); }
th { font-weight: 600; }
td:first-child { white-space: nowrap; }
.wide { overflow-x: auto; }
a { color: light-dark(#1f5fa8, #7fb2e8); }
"""


def page(document: dict[str, Any]) -> str:
    """The page of an OpenAPI document; its links are relative, so it works below any path."""
    info = document["info"]
    operations = [
        _operation(method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(info['title'])}: interface for programs</title>",
            f"<style>{STYLE}</style></head><body>",
            f"<h1>{escape(info['title'])}: interface for programs</h1>",
            f"<p>{escape(info['description'])} The same description for programs: "
            '<a href="openapi.json">openapi.json</a>. <a href="../">Back to the app</a>.</p>',
            "<h2>Examples</h2>",
            _examples(),
            *operations,
            "<h2>The fields of an experiment</h2>",
            _fields(document["components"]["schemas"]["Experiment"]),
            "</body></html>",
        ]
    )


def _examples() -> str:
    body = json.dumps({"text": EXAMPLE.text, "mode": EXAMPLE.mode, "num_heads": 2, "d_model": 16})
    shell = (
        f"curl -s $ADDRESS/api/attention?fields=weights \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'"
    )
    python = f"""import io, json, urllib.request
import numpy as np

request = urllib.request.Request(
    f"{{address}}/api/attention?format=npz",
    data=json.dumps({body}).encode(),
    headers={{"Content-Type": "application/json"}},
)
with urllib.request.urlopen(request) as answer:
    trace = np.load(io.BytesIO(answer.read()))
print(trace["tokens"], trace["weights"].shape)  # (batch, head, query, key)"""
    return f"<p>In a shell:</p><pre>{escape(shell)}</pre><p>In Python:</p><pre>{escape(python)}</pre>"


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    answers = [
        (f"<code>{status}</code>", escape(answer["description"] + _media_types(answer["content"])))
        for status, answer in operation["responses"].items()
    ]
    parameters = [
        (f"<code>{escape(parameter['name'])}</code>", escape(_about(parameter)))
        for parameter in operation["parameters"]
        if "description" in parameter
    ]
    return "\n".join(
        [
            f"<h2><code>{method.upper()} {escape(path)}</code></h2>",
            f"<p>{escape(operation['summary'])} {escape(operation['description'])}</p>",
            *(["<h3>Parameters</h3>", _table(("name", ""), parameters)] if parameters else []),
            f"<h3>Answers</h3><p>Problems come as <code>{MEDIA_TYPE}</code>.</p>",
            _table(("status", ""), answers),
        ]
    )


def _media_types(content: dict[str, Any]) -> str:
    """What a good answer comes as; problems always come as the same."""
    return "" if MEDIA_TYPE in content else f" {' or '.join(content)}"


def _about(parameter: dict[str, Any]) -> str:
    allowed = parameter["schema"].get("enum")
    parts = [parameter.get("description", ""), "or".join(f" {word} " for word in allowed) if allowed else ""]
    parts.append(f"for instance {parameter['example']}" if "example" in parameter else "")
    return "; ".join(part.strip() for part in parts if part)


def _fields(schema: dict[str, Any]) -> str:
    rows = []
    for name, found in schema["properties"].items():
        default = "needed" if name in schema["required"] else json.dumps(found["default"]) if "default" in found else ""
        rows.append((f"<code>{escape(name)}</code>", escape(_allowed(found)), f"<code>{escape(default)}</code>"))
    return _table(("field", "allowed", "default"), rows)


def _allowed(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return f"{_allowed(schema['anyOf'][0])}, or null: {schema['description']}"
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if "const" in schema:
        return f"{schema['const']}: {schema['description']}"
    kind = schema["type"] if isinstance(schema["type"], str) else " or ".join(schema["type"])
    words = {"integer": "whole number", "boolean": "true, false", "string": "text", "string or null": "text or null"}
    if "maxLength" in schema:
        return f"{words[kind]}, at most {schema['maxLength']:,} characters"
    bounds = {"minimum": "from", "maximum": "to", "exclusiveMaximum": "below"}
    said = [f"{word} {schema[bound]:,}" for bound, word in bounds.items() if bound in schema]
    allowed = " ".join([words.get(kind, kind), *said])
    return f"{allowed}: {schema['description']}" if "description" in schema else allowed


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table; the cells are HTML already."""
    top = "".join(f"<th>{cell}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{top}</tr>{body}</table></div>'



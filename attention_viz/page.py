"""A trace as one HTML file: every stage drawn, plotly.js inside, nothing fetched."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from attention_viz import plotlyjs
from attention_viz.colors import INK, MUTED, PAPER
from attention_viz.figure import hover_spec
from attention_viz.formula import formula_html, prose_html
from attention_viz.labels import dim_title, field_title, visible
from attention_viz.panel import Say, signed_scale

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from attention_core.experiment import Experiment
    from attention_core.trace import AttentionTrace

# Where one of these equals the other stage, it is not drawn again.
_REPEATS = {
    "token_embedding": ("embedding",),
    "source_token_embedding": ("source_embedding", "token_embedding"),
    "source_position_encoding": ("position_encoding",),
    "source_embedding": ("embedding",),
    "rotated_q": ("q",),
    "rotated_k": ("k",),
    "scaled_scores": ("raw_scores",),
    "modified_scores": ("scaled_scores",),
    "masked_scores": ("modified_scores",),
    "dropped_weights": ("weights",),
    "output": ("concat",),
}
# These share one symmetric scale.
_GROUPS = (
    ("token_embedding", "position_encoding", "embedding"),
    ("source_token_embedding", "source_position_encoding", "source_embedding"),
    ("q", "k", "v"),
    ("rotated_q", "rotated_k"),
)

# How many there are of what, in words; of any other dimension its symbol says it.
_COUNTED = {
    "head": ("head", "heads"),
    "kv_head": ("key/value head", "key/value heads"),
    "query": ("query", "queries"),
    "key": ("key", "keys"),
}

_STYLE = f"""
:root {{ color-scheme: light dark; }} body {{ margin: 2.5rem auto; max-width: 60rem; padding: 0 1rem;
background: {PAPER["light"]}; color: {INK["light"]};
  font: 16px/1.5 "Source Sans 3", "Noto Sans", "Helvetica Neue", Arial, sans-serif; }}
h1 {{ font-size: 1.6rem; font-weight: 600; margin: 0; overflow-wrap: anywhere; }}
h2 {{ font-size: 1.1rem; font-weight: 600; margin: 2.5rem 0 0; }}
h3 {{ font-size: 1rem; font-weight: 600; margin: 1.25rem 0 0; }}
.shape, .note {{ color: {MUTED}; margin: 0 0 .5rem; }}
p {{ margin: .25rem 0 0; }}
.formula {{ margin: .25rem 0 0 1.5rem; font: 1.1rem "STIX Two Text", "Times New Roman", serif; }}
sub, sup {{ line-height: 0; font-size: .75em; }}
.stage {{ overflow-x: auto; }}
details {{ margin-top: 3rem; }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; }}
@media (prefers-color-scheme: dark) {{ body {{ background: {PAPER["dark"]}; color: {INK["dark"]}; }} }}
"""

_SCRIPT = """
const figures = JSON.parse(document.getElementById("figures").textContent);
const preference = matchMedia("(prefers-color-scheme: dark)");
function draw() {
  const theme = preference.matches ? "dark" : "light";
  figures.forEach(({ figure, look }, place) => {
    figure.data[0].colorscale = look.colorscales[theme];
    figure.layout.font.color = look.inks[theme];
    document.getElementById("stage-" + place).style.height = look.height + "px";
    figure.layout.paper_bgcolor = "rgba(0,0,0,0)";
    Plotly.react("stage-" + place, figure.data, figure.layout, { displaylogo: false, showTips: false });
  });
}
preference.addEventListener("change", draw);
draw();
"""


@dataclass(frozen=True)
class Passage:
    """A stage in a page: its heading, a paragraph that may hold formulas between two `$`, the stage's own formula in
    LaTeX, and the fields it shows with their titles and what stands under them."""

    title: str
    words: str
    formula: str
    fields: Mapping[str, tuple[str, str]]


def html_page(
    trace: AttentionTrace,
    experiment: Experiment | None = None,
    *,
    fields: Sequence[str] | None = None,
    passages: Sequence[Passage] = (),
    title: str | None = None,
    note: str = "",
    language: str = "en",
    say: Say = str,
) -> str:
    """A trace as a page that opens without a network: a heading, the shape and the heatmap of each field.

    `fields` are all fields unless given, without those that repeat the stage before; with `passages`, those that they
    show, each passage with its words. `title` is the text of the experiment unless given, without one the tokens;
    `note` stands under it and says what the numbers mean. A content security
    policy lets the page run its own two scripts (by their hash) and fetch nothing; every text of the user is
    escaped.

    Raises KeyError for a field that the trace has not.
    """
    pieces = html_pieces(
        trace, experiment, fields=fields, passages=passages, title=title, note=note, language=language, say=say
    )
    return b"".join(pieces).decode()


def html_pieces(
    trace: AttentionTrace,
    experiment: Experiment | None = None,
    *,
    fields: Sequence[str] | None = None,
    passages: Sequence[Passage] = (),
    title: str | None = None,
    note: str = "",
    language: str = "en",
    say: Say = str,
) -> Iterator[bytes]:
    """`html_page` in UTF-8, one figure after the other: each takes much more memory while it is made."""
    if passages:
        names = tuple(name for passage in passages for name in passage.fields)
    else:
        names = _worth_drawing(trace) if fields is None else tuple(fields)
    drawn = {name: f'<div class=stage><div id="stage-{place}"></div></div>' for place, name in enumerate(names)}
    if passages:
        stages = "\n".join(_passage(passage, drawn) for passage in passages)
    else:
        stages = "\n".join(
            f"<h2>{escape(say(field_title(name)))}</h2>\n<p class=shape>{escape(_shape(trace, name, say))}</p>\n{div}"
            for name, div in drawn.items()
        )
    if title is None:
        title = visible(experiment.text) if experiment is not None else " ".join(map(visible, trace.tokens))
    heading = escape(title)
    about = f"<p class=note>{escape(note)}</p>" if note else ""
    recipe = ""
    if experiment is not None:
        recipe = (
            f"<details><summary>{escape(say('Experiment'))}</summary>"
            f"<pre>{escape(experiment.to_json())}</pre></details>"
        )
    plotly, policy = _plotly()
    yield f"""<!DOCTYPE html>
<html lang="{escape(language)}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{heading}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{heading}</h1>
{about}
{stages}
{recipe}
<script type="application/json" id="figures">[""".encode()
    scales = _scales(trace, names)
    for place, name in enumerate(names):
        spec = hover_spec(trace, name, scale=scales.get(name), box=(920, 440), title="", say=say)
        yield ("," if place else "").encode() + _embedded(spec).encode()
    yield f"""]</script>
<script>{plotly}</script>
<script>{_SCRIPT}</script>
</body>
</html>
""".encode()


def _passage(passage: Passage, drawn: Mapping[str, str]) -> str:
    parts = [f"<h2>{escape(passage.title)}</h2>", f"<p>{prose_html(passage.words)}</p>"]
    if passage.formula:
        parts.append(f"<p class=formula>{formula_html(passage.formula)}</p>")
    for field, (title, note) in passage.fields.items():
        # A heading that only says again what stands above it is left out.
        heading = "" if len(passage.fields) == 1 and passage.title.endswith(title) else f"<h3>{escape(title)}</h3>"
        parts += [heading, f"<p class=shape>{escape(note)}</p>", drawn[field]]
    return "\n".join(filter(None, parts))


@cache
def _plotly() -> tuple[str, str]:
    """plotly.js as far as it is needed, and the policy that allows the two scripts and nothing else."""
    plotly = plotlyjs.source().replace("</script", "<\\/script")
    scripts = " ".join(f"'sha256-{_sha256(script)}'" for script in (plotly, _SCRIPT))
    policy = (
        f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    return plotly, policy


def _sha256(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _embedded(spec: dict[str, Any]) -> str:
    """A figure as JSON that cannot leave its script element: `<` is written as an escape."""
    figure = go.Figure(data=spec["data"], layout=spec["layout"]).to_json()
    look = json.dumps({name: spec["meta"][name] for name in ("colorscales", "inks", "height")})
    return f'{{"figure":{figure},"look":{look}}}'.replace("<", "\\u003c")


def _worth_drawing(trace: AttentionTrace) -> tuple[str, ...]:
    there = set(trace.fields())

    def repeats(name: str) -> bool:
        return any(before in there and _same(trace, name, before) for before in _REPEATS.get(name, ()))

    return tuple(name for name in trace.fields() if not repeats(name))


def _same(trace: AttentionTrace, name: str, before: str) -> bool:
    one, other = trace.field(name), trace.field(before)
    return one is other or (one.shape == other.shape and bool((one == other).all()))


def _scales(trace: AttentionTrace, names: Sequence[str]) -> dict[str, float]:
    scales: dict[str, float] = {}
    for group in _GROUPS:
        drawn = [name for name in group if name in names]
        if len(drawn) > 1:
            shared = signed_scale(*((trace, name) for name in drawn))
            scales |= dict.fromkeys(drawn, shared)
    return scales


def _shape(trace: AttentionTrace, name: str, say: Say) -> str:
    sizes = zip(trace.dims(name), trace.shape(name), strict=True)

    def words(dim: str, size: int) -> str:
        one, many = _COUNTED.get(dim, (dim_title(dim), dim_title(dim)))
        return say(one if size == 1 else many)

    return " \u00d7 ".join(f"{size} {words(dim, size)}" for dim, size in sizes if dim != "batch")

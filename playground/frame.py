"""What stands round the pictures: title, honest label, tokens, the choice of heads, what to take away."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from attention_core.experiment import Experiment
from attention_core.experiment.hand_built import BUILT
from attention_core.presets import preset_of
from attention_core.trace import AttentionTrace
from attention_viz.labels import visible
from playground import downloads, panel, state, teacher, told
from playground.as_before import as_before
from playground.i18n import _, language

ALERTS = 3  # that are said large; of more, the others stand small under them

# The arithmetic stays in sight while the visitor walks down the stages: beside them; on a phone, once a cell is open,
# as a sheet at the bottom. There the way to the other pages and to the controls is a sign in a corner: it has a name.
# What of the stages is out of sight is neither laid out nor painted, which is half of what a change costs the browser.
# Nor does what is about to be drawn again begin to fade, element by element, unless the run is a long one (slow.js).
_STYLE = """
<style>
html:not(.ap-slow) [data-stale] { opacity: 1 !important; transition: none !important; }
[data-testid="stSidebarHeader"] { height: 2.4rem; margin-bottom: 0; }
[data-testid="stSidebarUserContent"] { padding-top: 0; }
[data-testid="stLayoutWrapper"]:has(> .st-key-way) { position: absolute; }
[data-testid="stSidebarUserContent"] [data-testid="stVerticalBlock"] { gap: 0.7rem; }
:is(.st-key-stages, .st-key-stages_more) > * { content-visibility: auto; contain-intrinsic-size: auto none auto 100px; }
[data-testid="stMarkdownContainer"] > details { margin: -0.6rem 0 1rem; }
[data-testid="stMarkdownContainer"] > details > summary {
  width: fit-content; font-size: 0.9rem; opacity: 0.75; cursor: pointer;
}
:is(.st-key-arithmetic_open, .st-key-arithmetic_first) { gap: 0.55rem; }
.st-key-arithmetic_open .katex { font-size: 1em; }
@media (min-width: 641px) {
  [data-testid="stColumn"]:has(.st-key-arithmetic_open, .st-key-arithmetic_first) {
    position: sticky; top: 3.6rem; align-self: flex-start; max-height: calc(100vh - 4rem); overflow-y: auto;
  }
}
@media (max-width: 640px) {
  [data-testid="stColumn"]:has(.st-key-arithmetic_open) {
    position: sticky; bottom: 0; max-height: 44vh; overflow-y: auto; z-index: 30; padding: 0.5rem 0.2rem 0;
    background: var(--st-background-color, Canvas); border-top: 1px solid rgb(128 128 128 / 40%);
  }
  [data-testid="stExpandSidebarButton"] { width: 11rem; justify-content: start; }
  .st-key-way { position: fixed; top: 0.95rem; left: 2.9rem; width: auto; z-index: 999990; pointer-events: none; }
  body:not(:has([data-testid="stExpandSidebarButton"])) .st-key-way { display: none; }
}
@media (min-width: 641px) { .st-key-way { display: none; } }
</style>
"""


def style() -> None:
    """The few rules that Streamlit has no setting for, and the name that they put beside the phone's sign."""
    as_before("style", language(), _styled)


def _styled() -> None:
    st.html(_STYLE)
    with st.container(key="way"):
        st.text(_("Pages and settings"))


def header(experiment: Experiment, trace: AttentionTrace, problem: str | None) -> None:
    """Title, what the weights are, why to look at this example; what is wrong with the input if anything is; tokens."""
    label, about, example = honest_label(experiment), _about_built(experiment), preset_of(experiment)

    def title() -> None:
        with st.container(horizontal=True, vertical_alignment="bottom", key="title"):
            st.markdown(f"# {_('Attention playground')}", width="content")
            with st.container(gap=None):  # of two lines, which together are as high as the title: nothing moves
                st.caption(label, help=about)
                if example is not None:
                    st.caption(_(example.why))

    as_before("title", (label, about, example and example.id, language()), title)
    messages(problem)
    tokens(experiment, trace)


def messages(problem: str | None) -> None:
    """Say what is wrong with the address or the input, where the visitor sees it however far down the page.

    In a container of its own: a message more or less does not move what comes after to another place, where the
    browser would build every picture anew.
    """
    with st.container(key="messages"):
        wrong = (*state.notes(), *([problem] if problem else []))
        alerts(wrong, "wrong", _("The picture still shows the last valid input.") if problem else "")


def alerts(wrong: Sequence[str], key: str, still: str = "") -> None:
    """Say what is wrong, and after the last of it what `still` holds. Of many, the first, and the others small."""
    many = len(wrong) > ALERTS + 1
    shown = wrong[:ALERTS] if many else wrong
    for number, words in enumerate(shown):
        last = number == len(shown) - 1
        rest = _("And: {others}").format(others=" · ".join(wrong[ALERTS:])) if last and many else ""
        panel.statement(f"{key}_{number}", words, " ".join(filter(None, (rest, still if last else ""))), alert=True)


def tokens(experiment: Experiment, trace: AttentionTrace) -> None:
    """The tokens as chips: in cross mode those of both texts."""
    panel.chips("tokens", _chip_rows(experiment, trace))


def honest_label(experiment: Experiment) -> str:
    """What the numbers mean and what they do not."""
    names = experiment.head_names()
    built = sum(name != "random" for name in names)
    hand_built = {
        0: _("Random weights: the mechanism is real, the meaning is not. Nothing was trained."),
        1: _("Head 1 is built by hand, the others are random. Nothing was trained."),
    }.get(
        built,
        _("Heads 1 to {count} are built by hand, the others are random. Nothing was trained.").format(count=built),
    )
    if names and built == len(names):
        hand_built = _("Every head here is built by hand. Nothing was trained.")
    return {
        "hand_built": hand_built,
        "random": _("Random weights: the mechanism is real, the meaning is not. Nothing was trained."),
        "article": _("The article's random weights: the mechanism is real, the meaning is not."),
    }[experiment.weights]


def _about_built(experiment: Experiment) -> str | None:
    """What one has to know of heads built by hand, beside the label."""
    names = experiment.head_names()
    if BUILT[0] not in names:
        return None
    said = [
        _("Heads are built by hand to show what a head can do: each can be explained."),
        _("Nothing stands before the first token: in head 1 its row means nothing."),
    ]
    if experiment.mode == "cross":
        said.append(
            _(
                "Between two texts “previous” and “first” go by position, and “same token” finds an equal word of the "
                "source; where there is none, the one whose vector is most like it."
            )
        )
    return " ".join(said)


def _chip_rows(experiment: Experiment, trace: AttentionTrace) -> list[dict[str, object]]:
    def row(label: str, axis: str, tokens: tuple[str, ...]) -> dict[str, object]:
        return {"label": label, "axis": axis, "tokens": tokens, "shown": [visible(token) for token in tokens]}

    if experiment.mode == "cross":
        return [row(_("Queries"), "query", trace.tokens), row(_("Source"), "key", trace.source_tokens)]
    return [row("", "both", trace.tokens)]


def head_choice(trace: AttentionTrace) -> int | None:
    """All heads at once, or one large; and beside it what to pin and to take away."""
    count = trace.shape("weights")[1]
    seen = state.view()
    with st.container(horizontal=True, vertical_alignment="center"):
        # Counted from 1; 0 is all of them, and lit like the others: None would be "nothing chosen".
        # The view may have been changed by others: a link, a step back, an example.
        if "head_choice" not in st.session_state or st.session_state.get("head_shown") != seen.head:
            st.session_state["head_choice"] = 0 if seen.head is None else seen.head + 1
        if st.session_state["head_choice"] not in range(count + 1):
            st.session_state["head_choice"] = 0
        chosen = as_before("head_choice", (count, language()), lambda: _heads_shown(count))
        head = st.session_state["head_shown"] = chosen - 1 if chosen else None
        state.change_view(head=head)
        as_before("pin", (seen.pinned is None, language()), lambda: _pin_or_unpin(seen.pinned is None))
        if not teacher.predict():  # the files hold what the class is to guess
            with st.popover(_("Download")):
                st.markdown(_take_away())
    return head


def _heads_shown(count: int) -> int | None:
    chosen: int | None = told.segmented_control(
        _("Heads shown"),
        range(count + 1),
        key="head_choice",
        format_func=lambda number: str(number) if number else _("All heads"),
        required=True,
        label_visibility="collapsed",
    )
    return chosen


def _pin_or_unpin(pin: bool) -> None:
    if pin:
        words = _("Keep this, change anything, and see A, B and their difference.")
        st.button(_("Pin as A"), on_click=_pin, help=words)
    else:
        st.button(_("Unpin A"), on_click=_unpin)


def hero_title(head: int | None) -> str:
    """What stands over the weights."""
    return _("Weights of every head") if head is None else _("Weights of head {number}").format(number=head + 1)


def _pin() -> None:
    state.change_view(pinned=state.experiment())


def _unpin() -> None:
    if state.view().opens_a:
        state.open_cell(None)
    state.change_view(pinned=None)


def _take_away() -> str:
    names = {
        "attention.html": _("A page that works offline"),
        "attention.py": _("The PyTorch code of what is on the screen"),
        "trace.json": _("Every tensor as JSON"),
        "trace.npz": _("Every tensor as NumPy arrays (NPZ)"),
        "experiment.json": _("The settings as JSON"),
    }
    links = [f"- [{title}]({downloads.link(name)})" for name, title in names.items()]
    return "\n".join([*links, "", _("Each picture also offers itself as PNG and SVG and its numbers as CSV.")])

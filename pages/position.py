"""Where does position come in? One sentence under every scheme, with everything else kept the same."""

from __future__ import annotations

import streamlit as st

from attention_core.lessons import position, rotation, waves
from attention_viz.lessons import schemes
from attention_viz.lessons.position import patches_picture, places_spec, products_picture, shuffle_pictures, turn_spec
from playground import lesson as lesson_frame
from playground import panel, state, told
from playground.i18n import _
from playground.lesson_parts import amount, choice, decimal, draw, draw_all, number, slider
from playground.panel import Cell

POSITIONS = 16  # in the pictures of RoPE
BASES = ("10", "100", "1000", "10000")
TITLES = {
    "sinusoidal": _("Sinusoidal"),
    "learned": _("Learned"),
    "rope": _("RoPE"),
    "alibi": _("ALiBi"),
    "t5": _("T5"),
    "shaw": _("Shaw"),
    "transformer_xl": _("Transformer-XL"),
}


def take_scheme(cell: Cell) -> None:
    """The scheme of the picture that was clicked."""
    st.session_state["position_scheme"] = position.SCHEMES[cell.head]


def take_pair(cell: Cell) -> None:
    """The positions of the query and the key that were clicked."""
    st.session_state["position_query"], st.session_state["position_key"] = cell.row, cell.col


def take_patch(cell: Cell) -> None:
    """The patch that was clicked."""
    st.session_state["position_row"], st.session_state["position_column"] = cell.row, cell.col


def again() -> None:
    """Another order of the words."""
    st.session_state["position_shuffle"] = (st.session_state["position_shuffle"] + 1) % 1000


def shuffled(scheme: str, title: str) -> None:
    """Outputs before and after, and the difference of the same words."""
    found = position.shuffle(experiment, scheme, draw_number)
    words = _("largest difference: **{number}**").format(number=amount(found.largest))
    st.markdown(f"**{title}** · {words}")
    for column, picture in zip(st.columns(3), shuffle_pictures(found, narrow=narrow, say=_), strict=True):
        with column:
            draw(f"pos_{'with' if scheme != 'none' else 'without'}_{picture.name}", picture)


def rope() -> None:
    """One pair as it turns, and the products at all positions."""
    heads = position.traced(experiment, "none").heads
    q, k = heads.q[0, head, 0], heads.k[0, head, 0]
    pairs = q.shape[-1] // 2
    if not pairs:
        st.markdown(
            _("A head of width 1 has no pair that could turn: RoPE leaves it as it is. Choose a larger d_model.")
        )
        return
    turned = rotation.products(q, k, POSITIONS)
    left, right = st.columns([1, 1.45])
    with left:
        at = {
            "pair": slider("position_pair", _("Pair of columns"), 1, 1, pairs) - 1,
            "query_position": slider("position_query", _("Position of the query"), 5, 0, POSITIONS - 1),
            "key_position": slider("position_key", _("Position of the key"), 2, 0, POSITIONS - 1),
        }
        pair = rotation.turned_pair(q, k, **at)
        panel.plot("pos_turn", turn_spec(pair, say=_), height=300)
        numbers = {"step": f"{pair.step:.3g}", "wave": f"{pair.wavelength:.3g}", "part": decimal(pair.product)}
        lesson.section("rope_pair", **numbers)
    with right:
        lesson.section("rope_matrix", plain=decimal(float(q @ k)))
        cell = Cell("position_products", 0, at["query_position"], at["key_position"])
        draw("pos_products", products_picture(turned, narrow=narrow, say=_), take_pair, cell=cell)
        spread = amount(rotation.spread_along_diagonals(turned))
        product = decimal(float(turned[cell.row, cell.col]))
        lesson.section("rope_product", width=q.shape[-1], product=product, spread=spread)


lesson = lesson_frame.begin("position", only={"text", "num_heads", "d_model", "seed", "tokenizer", "embedding"})
experiment, narrow = lesson.experiment, panel.narrow()
scheme = choice("position_scheme", "sinusoidal", position.SCHEMES)
draw_number = number("position_shuffle", 0, 0, 1000)

lesson.section("shuffle")
with st.container():  # a place that stays, see frame.header
    if len(position.words(experiment)) < len(experiment.tokens()):
        st.caption(_("This page uses the first {count} tokens.").format(count=position.MOST))
st.button(_("Shuffle again"), on_click=again)
shuffled("none", _("Without positions"))
told.segmented_control(
    _("With positions"), position.SCHEMES, key="position_scheme", format_func=TITLES.get, required=True
)
shuffled(scheme, TITLES[scheme])

lesson.section("places")
panel.plot("pos_places", places_spec(scheme, position.PLACES, TITLES, narrow=narrow, say=_), height=210)
lesson.section("table")
head = slider("position_head", _("Head"), 1, 1, experiment.num_heads) - 1
lesson.section("changes", head=head + 1)
draw("pos_changes", schemes.changes_picture(experiment, head, TITLES, narrow=narrow, say=_), take_scheme)

length = number("position_length", 32, 4, 128)
learned = position.learned_numbers(experiment, scheme, length)
both = bool(state.page_setting("position_both", True, state.option_of((True, False)))) or scheme != "t5"
longest = f"{waves.wavelengths(experiment.d_model)[-1]:,.0f}"
last = position.last_bucket_from(bidirectional=both)
lesson.section(scheme, numbers=f"{learned:,}", length=length, longest=longest, last=last)
if scheme in ("sinusoidal", "learned", "t5"):
    length = slider("position_length", _("Positions"), 32, 4, 128)
if scheme == "t5":
    told.toggle(_("Both directions, as in an encoder"), key="position_both")
if scheme == "rope":
    rope()
else:
    draw_all(f"pos_{scheme}", schemes.pictures(experiment, scheme, length=length, both=both, narrow=narrow, say=_))

lesson.section("patches")
with st.container(horizontal=True):
    side = slider("position_side", _("Patches on a side"), 12, 2, 20)
    width = slider("position_width", _("Width of a position"), 32, 4, 128, step=4)
    base = int(choice("position_base", "100", BASES))
    told.select_slider(_("Base of the wavelengths"), BASES, key="position_base")
row, col = (number(f"position_{name}", 4, 0, side - 1) for name in ("row", "column"))
alike = waves.patch_likeness(side, side, width, row, col, base)
chosen = Cell("position_patches", 2, row, col)
draw("pos_patches", patches_picture(alike, narrow=narrow, say=_), take_patch, cell=chosen)
lesson.close()

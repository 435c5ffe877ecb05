"""A part of a page that is as before is sent again, not drawn anew; and drawn anew whenever it may have changed."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from attention_core.experiment import Experiment
from playground import stages
from tests.ui.reading import open_app

START = Experiment("the sun rises", num_heads=2)


def part() -> None:
    """A page with one part; the session says what it depends on, and counts how often it is drawn."""
    import streamlit as st
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    from playground.as_before import as_before

    state, context = st.session_state, get_script_run_ctx()
    own = {*vars(context), *vars(context.session_state)}
    state.setdefault("drawn", 0)
    state.setdefault("number", 3)
    if "set" in state:
        state["number"] = state.pop("set")
    for _line in range(state.get("before", 0)):
        st.text("before")

    def draw() -> float:
        state["drawn"] += 1
        st.markdown("A part")
        number = st.slider("Number", 0, 9, value=state["number"], key="number")
        st.button("More", on_click=lambda: state.update(pressed=state.get("pressed", 0) + 1))
        if state.get("stop"):
            raise ValueError("half way")
        return number

    if not state.get("hidden"):
        state["got"] = as_before("part", state.get("about"), draw)
    # A context that refers to itself would be freed much later, with all that it holds.
    assert {*vars(context), *vars(context.session_state)} <= {*own, "as_before"}
    st.text("after")


@pytest.fixture
def page() -> AppTest:
    """The page after its first two runs: in the first the session has set the slider."""
    return AppTest.from_function(part).run().run()


def drawn(app: AppTest) -> int:
    found: int = app.session_state["drawn"]
    return found


def seen(app: AppTest) -> list[tuple[str, Any]]:
    assert not app.exception
    return [(one.type, one.value) for one in app.main.children.values()]


def test_what_has_not_changed_is_sent_again_and_drawn_no_more(page: AppTest) -> None:
    before = seen(page)
    assert before == [("markdown", "A part"), ("slider", 3), ("button", False), ("text", "after")]
    count = drawn(page)
    for _run in range(3):
        page.run()
        assert seen(page) == before and page.session_state["got"] == 3
    assert drawn(page) == count


def test_what_it_depends_on_draws_it_anew(page: AppTest) -> None:
    count = drawn(page)
    for about in ("a", "b"):
        page.session_state["about"] = about
        page.run()
        count += 1
        assert drawn(page) == count
    page.run()
    assert drawn(page) == count


def test_the_visitor_moves_a_control_of_it(page: AppTest) -> None:
    count = drawn(page)
    for value in (5, 6, 3):
        page.slider[0].set_value(value).run()
        count += 1
        assert (page.session_state["got"], page.slider[0].value, drawn(page)) == (value, value, count)
    page.run()
    assert (page.session_state["got"], drawn(page)) == (3, count)


def test_a_value_that_the_session_has_set_is_told_to_the_browser_even_if_it_is_the_same(page: AppTest) -> None:
    """The visitor may have moved it meanwhile, and a callback has set it back."""
    count = drawn(page)
    page.session_state["set"] = 3
    page.run()
    assert drawn(page) == count + 1 and page.slider[0].proto.set_value
    page.run()
    assert drawn(page) == count + 2 and not page.slider[0].proto.set_value, "told again and again"
    page.run()
    assert drawn(page) == count + 2


def test_its_button_is_heard_each_time(page: AppTest) -> None:
    for times in (1, 2, 3):
        page.run()
        page.button[0].click().run()
        assert page.session_state["pressed"] == times


def test_its_controls_are_there_after_many_runs(page: AppTest) -> None:
    """Streamlit forgets the value of a control that a run has not mentioned."""
    page.slider[0].set_value(7).run()
    for _run in range(4):
        page.run()
    assert page.session_state["number"] == 7 and page.slider[0].value == 7


def test_it_is_drawn_where_it_stands_now(page: AppTest) -> None:
    part = seen(page)
    for before in (2, 1, 0):
        page.session_state["before"] = before
        for _run in range(3):
            page.run()
            assert seen(page) == [("text", "before")] * before + part


def test_what_was_out_of_sight_is_drawn_anew(page: AppTest) -> None:
    """Its controls have gone, in the browser too, and with them what they held."""
    page.slider[0].set_value(7).run().run()
    count = drawn(page)
    page.session_state["hidden"] = True
    page.run()
    page.session_state["hidden"] = False
    page.run()
    assert drawn(page) == count + 1 and page.session_state["got"] == page.slider[0].value == 3


def test_what_fails_half_way_is_drawn_anew(page: AppTest) -> None:
    page.session_state["about"], page.session_state["stop"] = "wrong", True
    page.run()
    assert page.exception[0].proto.type == "ValueError"
    page.session_state["stop"] = False
    count = drawn(page)
    page.run()
    assert drawn(page) == count + 1 and seen(page)[-1] == ("text", "after")


def test_one_part_within_another() -> None:
    def page() -> None:
        import streamlit as st

        from playground.as_before import as_before

        state = st.session_state
        state.setdefault("inner", 0)
        state.setdefault("outer", 0)

        def inner() -> bool:
            state["inner"] += 1
            with st.container():
                return st.checkbox("Yes", key="yes")

        def outer() -> bool:
            state["outer"] += 1
            st.text("first")
            found = as_before("inner", state.get("within"), inner)
            st.text("last")
            return found

        state["got"] = as_before("outer", (state.get("about"), state.get("within")), outer)
        st.text("after")

    def texts(app: AppTest) -> list[str]:
        return [one.value for one in app.text]

    app = AppTest.from_function(page).run()
    app.session_state["about"] = 1
    app.run()  # the inner one is only sent again, and the outer one keeps what was sent
    app.run()
    assert (app.session_state["outer"], app.session_state["inner"]) == (2, 1)
    app.checkbox[0].check().run()
    assert app.session_state["got"] is True and texts(app) == ["first", "last", "after"]
    assert (app.session_state["outer"], app.session_state["inner"]) == (3, 2)
    app.run()
    assert (app.session_state["outer"], app.session_state["inner"]) == (3, 2)
    assert app.checkbox[0].value is True and texts(app) == ["first", "last", "after"]


def test_two_controls_of_one_name_are_still_refused() -> None:
    def page() -> None:
        import streamlit as st

        from playground.as_before import as_before

        as_before("part", None, lambda: st.checkbox("Yes", key="yes"))
        if st.session_state.get("twice"):
            st.checkbox("Yes again", key="yes")

    app = AppTest.from_function(page).run().run()
    assert not app.exception
    app.session_state["twice"] = True
    app.run()
    assert app.exception[0].proto.type.endswith("DuplicateElementKey")


def test_another_page_was_shown_meanwhile() -> None:
    def page() -> None:
        import streamlit as st

        from playground import as_before

        state = st.session_state
        state.setdefault("drawn", 0)
        if state.get("leave"):
            as_before.forget()

        def draw() -> bool:
            state["drawn"] += 1
            return st.checkbox("Yes", key="yes")

        as_before.as_before("part", None, draw)

    app = AppTest.from_function(page).run().run()
    assert app.session_state["drawn"] == 1
    app.session_state["leave"] = True
    app.run()
    assert app.session_state["drawn"] == 2


def test_a_choice_that_nobody_has_made_was_out_of_sight() -> None:
    def page() -> None:
        import streamlit as st

        from playground.as_before import as_before

        state = st.session_state
        state.setdefault("drawn", 0)

        def draw() -> str | None:
            state["drawn"] += 1
            return st.selectbox("One", ["a", "b"], index=None, key="one")

        if not state.get("hidden"):
            as_before("part", None, draw)

    app = AppTest.from_function(page).run().run()
    assert app.session_state["drawn"] == 1
    for hidden in (True, False):
        app.session_state["hidden"] = hidden
        app.run()
    assert app.session_state["drawn"] == 2


def test_it_is_heard_though_others_have_drawn_its_control() -> None:
    def page() -> None:
        import streamlit as st

        from playground.as_before import as_before

        state = st.session_state

        def draw(by: str = "part") -> None:
            st.checkbox("Yes", key="yes", on_change=lambda: state.update(heard=by))

        if state.get("other"):
            draw("other")
        else:
            as_before("part", None, draw)

    app = AppTest.from_function(page).run().run()
    for other in (True, False):
        app.session_state["other"] = other
        app.run()
    app.checkbox[0].check().run()
    assert app.session_state["heard"] == "part"


def test_without_a_visitor_it_is_drawn() -> None:
    from playground.as_before import as_before

    assert as_before("part", None, lambda: "drawn") == "drawn"


FAR = ["raw_scores", "scaled_scores", "allowed", "masked_scores", "weights", "context", "concat"]


def test_stages_out_of_sight_cost_nothing_and_come_anew_when_they_are_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    panel_of = stages.field_panel

    def counted(trace: Any, field: str, **more: Any) -> None:
        asked.append(field)
        panel_of(trace, field, **more)

    monkeypatch.setattr(stages, "field_panel", counted)

    def walk() -> None:
        import streamlit as st

        from attention_core.experiment import Experiment
        from playground import i18n, stages, state
        from playground.panel import screen

        i18n.begin()
        screen.begin()
        heat, words = st.session_state.get("heat", 1.0), st.session_state.get("words", "a b c")
        state.adopt_experiment(Experiment(words, num_heads=2, temperature=heat))
        stages.draw_walk(state.experiment().run(), None)

    def of(app: AppTest) -> dict[str, bytes]:
        found = [one for one in app.main.children.values() if one.type == "bidi_component"]
        return {one.proto.id.rpartition("-")[2]: one.proto.bytes for one in found}

    app = AppTest.from_function(walk)
    app.session_state["far"] = frozenset(f"stage_{field}" for field in FAR)
    app.run()
    first = of(app)
    assert not app.exception and set(FAR) < set(asked) and len(first) == len(asked)
    asked.clear()
    app.session_state["words"] = "d e f g"
    app.run()
    assert not set(FAR) & set(asked), "drawn though nobody sees it"
    second = of(app)
    assert list(second) == list(first)
    assert {name for name in first if first[name] == second[name]} == {f"stage_{field}" for field in FAR}
    app.session_state["heat"] = 2.0
    app.run()
    assert any(r"(\sqrt{d_k}\, T)" in text.value for text in app.markdown), "the words are old"
    app.session_state["far"] = frozenset(f"stage_{field}" for field in FAR if field != "context")
    asked.clear()
    app.run()
    assert set(FAR) & set(asked) == {"context"} and b'"d e f g"' not in second["stage_context"]
    third = of(app)
    assert third["stage_context"] != second["stage_context"] and third["stage_weights"] == first["stage_weights"]
    # What takes clicks keeps a trace in memory.
    assert b'"selectable":true' in third["stage_context"] and b'"selectable":false' in third["stage_weights"]


def test_a_control_is_locked_while_the_page_is_open() -> None:
    app = open_app(START.to_query()).run().run()
    heads = next(one for one in app.select_slider if one.key == "c_heads")
    assert not heads.disabled
    app.query_params["lock"] = "num_heads"
    app.run()
    assert next(one for one in app.select_slider if one.key == "c_heads").disabled


def test_a_page_keeps_nothing_of_the_one_before() -> None:
    app = open_app(START.to_query()).run()
    assert {"title", "control c_text"} <= set(app.session_state["as_before"])
    app.switch_page("../pages/glossary.py").run()
    assert not app.exception and "control c_text" not in app.session_state["as_before"]

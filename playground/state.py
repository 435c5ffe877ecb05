"""The state of a visit: address bar <-> widgets <-> `Experiment`.

The address bar is the state. It is read when a visit begins and when the visitor goes back or forward; otherwise the
widgets lead and the address follows. Each widget that shapes the experiment has a key that begins with `c_`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields, replace
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from attention_core.experiment import Experiment
from attention_core.experiment.checks import EmptyText
from attention_core.mask_lab import resized
from attention_core.masks import Full
from attention_core.presets import DEFAULT
from playground import compute, page_settings, teacher, widgets
from playground.i18n import _
from playground.page_settings import one_of, option_of, page_setting, whole
from playground.panel import Cell
from playground.service.gate import Busy
from playground.service.rerun import busy_words
from playground.settings import limits
from playground.view import View, fitting, read_view

__all__ = ["View", "one_of", "option_of", "page_setting", "whole"]


def view() -> View:
    """The view of this visit."""
    found: View = st.session_state.setdefault("view", View())
    return found


def change_view(**changes: Any) -> None:
    """Replace parts of the view."""
    st.session_state["view"] = replace(view(), **changes)


def open_cell(cell: Cell | None, of_a: bool = False) -> None:
    """Open the arithmetic of `cell`, of A where it is one of A."""
    change_view(cell=cell, of_a=of_a)


def experiment() -> Experiment:
    """The experiment on the screen: the last one that was valid."""
    found: Experiment = st.session_state["good"]
    return found


def notes() -> tuple[str, ...]:
    """What was wrong with the address or the last action, in words; forgotten when the experiment changes."""
    found: tuple[str, ...] = st.session_state.get("notes", ())
    return found


def load(page: str) -> None:
    """Take the state from the address, at the start of a visit and after back or forward; else leave it alone.

    The browser sends the address it shows with every rerun, and after quick changes that is an older one than the
    server wrote last: it is followed only where the browser says that the visitor went there. A change of `page` keeps
    the experiment, and sets the new page's widgets to it.
    """
    query = st.query_params.to_dict()
    came_from = st.session_state.get("page", page)
    st.session_state["page"] = page
    if "good" not in st.session_state:
        adopt(query)
    elif came_from != page:
        if "text" in query or "textz" in query:
            adopt(query)
        else:
            put(experiment())
    elif navigated():
        adopt(query)


def navigated() -> bool:
    """Whether the visitor went back or forward."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


def adopt(query: dict[str, str]) -> None:
    """Show what `query` says. What it says wrongly is named in `notes`, and its default is taken instead."""
    wrong: list[str] = []
    asked, query = query, within_limits(query, wrong)
    wanted, problems = Experiment.read_query(query, default_text=DEFAULT.experiment.text)
    wrong += problems
    if wanted is None:
        # One number beyond its limit and nothing else falls back like one that is none.
        only_beyond = asked != query
        wanted = Experiment(DEFAULT.experiment.text) if only_beyond else DEFAULT.experiment
    if wanted.seed > widgets.MAX_SEED:
        wrong.append(
            _("seed={value}: allowed here are whole numbers to {most}").format(value=wanted.seed, most=widgets.MAX_SEED)
        )
        wanted = replace(wanted, seed=0)
    try:
        limits().check(wanted)
        compute.run(wanted)
    except ValueError as problem:
        wrong.append(str(problem))
        wanted = DEFAULT.experiment
    page_settings.forget()
    seen = read_view(query, wrong)
    pinned = compute.run(seen.pinned) if seen.pinned is not None and seen.opens_a else None
    st.session_state["view"] = fitting(seen, compute.run(wanted), wrong, pinned)
    st.session_state["written"] = query
    adopt_experiment(wanted)
    st.session_state["notes"] = (*wrong, *teacher.wrong())


def within_limits(query: dict[str, str], wrong: list[str]) -> dict[str, str]:
    """The parameters without numbers beyond the limits in force: each alone, so that the message is about it."""
    most = limits()
    bounds = {"heads": "max_heads", "width": "max_d_model", "dk": "max_d_k", "dv": "max_d_v"}
    beyond = {
        name: limit
        for name, limit in bounds.items()
        if (text := query.get(name, "")).isdecimal() and len(text) < 20 and int(text) > getattr(most, limit)
    }
    for name, limit in beyond.items():
        words = _("{name}={value}: the limit here ({limit}) is {most}; what is usual is taken instead")
        wrong.append(words.format(name=name, value=query[name], limit=limit, most=getattr(most, limit)))
    return {name: text for name, text in query.items() if name not in beyond}


def adopt_experiment(wanted: Experiment) -> None:
    """Show `wanted`: only before the widgets are drawn in a run, or in a callback."""
    st.session_state["good"] = wanted
    st.session_state["notes"] = ()
    put(wanted)


def change_experiment(start: Experiment | None = None, keep: Collection[str] = (), **changes: Any) -> None:
    """Replace fields of `start`, the experiment on the screen unless another is given, and show it, in a callback.

    The fields named in `keep` stay as they are on the screen. What cannot be had is said and left undone.
    """
    now = experiment()
    kept = {field.name: getattr(now, field.name) for field in fields(now) if field.name in keep}
    try:
        adopt_experiment(replace(start or now, **kept, **changes))
    except ValueError as problem:
        st.session_state["notes"] = (str(problem),)


def put(wanted: Experiment) -> None:
    """Set every widget to what `wanted` says. Only before the widgets are drawn in a run, or in a callback."""
    st.session_state["kv_follows"] = wanted.num_heads if wanted.num_kv_heads is None else 0
    st.session_state["brought"] = widgets.widget_values(wanted)
    for name, value in st.session_state["brought"].items():
        st.session_state[widgets.key(name)] = value


def accept(fields: Mapping[str, Any]) -> tuple[Experiment, str | None]:
    """The experiment that `fields` ask for; or the last valid one, and in words why they cannot be had."""
    try:
        wanted = Experiment(**_with_fitting_mask(fields))
        limits().check(wanted)
        compute.run(wanted)
    except EmptyText as problem:
        return experiment(), _empty(problem.fields[0])
    except ValueError as problem:
        return experiment(), str(problem)
    except Busy as busy:
        return experiment(), busy_words(busy)
    if wanted != experiment():
        st.session_state["notes"] = ()
        page_settings.pardon()
    st.session_state["good"] = wanted
    return wanted, None


def _empty(field: str) -> str:
    """What is said of a box in which no word is left, by the name that it has on the page."""
    return {
        "text": _("The sentence has no word in it. Type at least one."),
        "source_text": _("The source sentence has no word in it. Type at least one."),
    }[field]


def _with_fitting_mask(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields, with a painted mask resized to the text: typing a word must not make the mask impossible."""
    mask = fields["mask"]
    if mask == Full() or max(len(fields["text"]), len(fields["source_text"] or "")) > limits().max_characters:
        return dict(fields)
    plain = Experiment(**{**fields, "mask": Full()})
    return {**fields, "mask": resized(mask, len(plain.tokens()), len(plain.source_tokens()))}


def save(good: Experiment) -> None:
    """Keep `good` as the experiment on the screen and let the address say so."""
    st.session_state["good"] = good
    now = st.query_params.to_dict()
    query = to_query(good, view())
    if query == to_query(DEFAULT.experiment, View()) and not now:
        query = {}  # the bare address opens the default
    query |= page_settings.for_address(st.session_state["page"])
    query |= teacher.kept(now)
    # What the browser shows may be newer than what it sent with this run: an earlier run may have written meanwhile.
    if query != now or query != st.session_state["written"]:
        st.query_params.from_dict(query)
    st.session_state["written"] = query


def to_query(good: Experiment, seen: View) -> dict[str, str]:
    """The link that shows `good` as it is seen."""
    return {**good.to_query(), **seen.to_query()}

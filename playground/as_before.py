"""What a page says as it said it in the run before: its messages are sent again, and nothing is worked out anew.

A change moves one control and a few pictures; the rest of the page stays as it was. Streamlit makes every element of it
anew all the same, some 0.3 ms each, and the others of a class wait as long. Here the messages of such a part are kept
with its widgets, as Streamlit keeps those of a cached function. The browser is told as much as ever: it clears away
what a run does not mention.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import streamlit as st
from streamlit.cursor import RunningCursor
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_run_context import ScriptRunContext, ThreadState
from streamlit.runtime.state.common import WidgetMetadata

_KEPT = "as_before"  # in the session: the parts of its pages, by name

_GONE = object()  # in place of the value of a widget that was not there

Result = TypeVar("Result")


@dataclass(frozen=True)
class _Widget:
    metadata: WidgetMetadata[Any]
    key: str | None
    value: Any


@dataclass(frozen=True)
class _Part:
    """What was said, where, of what, and with which widgets."""

    where: Hashable
    depends_on: Hashable
    places: int  # that its elements take, one after the other
    messages: tuple[ForwardMsg, ...]
    widgets: tuple[_Widget, ...]
    ids: frozenset[str]
    keys: frozenset[str]
    result: Any


def as_before(name: str, depends_on: Hashable, draw: Callable[[], Result]) -> Result:
    """What `draw` gives back, once it has drawn a part of the page; the part is drawn anew only if it may have changed.

    It is as it was if `depends_on` is equal, if it stands in the same place of the page, and if each of its widgets
    holds the value it had, and not one that the session has set since. So `depends_on` is all that `draw` looks at but
    its own widgets. What `draw` does beside drawing is left out too: callbacks are those of the run that drew it.
    The `name` is that of the part in its page.
    """
    context = get_script_run_ctx(suppress_warning=True)
    cursor = st._main._active_dg._cursor
    if context is None or not isinstance(cursor, RunningCursor):
        return draw()
    kept = _kept(context)
    where = (ThreadState.get().active_script_hash, cursor.root_container, cursor.parent_path, cursor.index)
    part = kept.get(name)
    if part and part.where == where and part.depends_on == depends_on and _same(context, part.widgets):
        _say_again(context, cursor, part)
        return cast(Result, part.result)
    kept.pop(name, None)  # should this run be given up half way
    shared = context.shared
    ids, keys = shared.widget_ids_this_run.snapshot(), shared.widget_user_keys_this_run.snapshot()
    with (
        _heard(context.__dict__, "enqueue", context.enqueue) as messages,
        _heard(context.session_state.__dict__, "register_widget", context.session_state.register_widget) as registered,
    ):
        result = draw()
    state = context.session_state._state
    # The browser is told a value that the session has set, but only once.
    if not any(key is not None and state.is_new_state_value(key) for _metadata, key in registered):
        kept[name] = _Part(
            where,
            depends_on,
            cursor.index - where[-1],
            tuple(message for (message,) in messages),
            tuple(_Widget(metadata, key, _value(context, metadata)) for metadata, key in registered),
            shared.widget_ids_this_run.snapshot() - ids,
            shared.widget_user_keys_this_run.snapshot() - keys,
            result,
        )
    return result


def forget() -> None:
    """Draw all of the page anew in this run: another one was shown before, and its widgets have gone."""
    st.session_state.pop(_KEPT, None)


@contextmanager
def _heard(of: dict[str, Any], name: str, function: Callable[..., Any]) -> Iterator[list[tuple[Any, ...]]]:
    """What a method of one object is called with meanwhile."""
    calls: list[tuple[Any, ...]] = []

    def hear(*given: Any) -> Any:
        calls.append(given)
        return function(*given)

    before = of.get(name)
    of[name] = hear
    try:
        yield calls
    finally:
        if before is None:  # or the object would refer to itself
            del of[name]
        else:
            of[name] = before


def _kept(context: ScriptRunContext) -> dict[str, _Part]:
    """The parts of this session: looked up once for a run."""
    found: dict[str, _Part] | None = context.__dict__.get(_KEPT)
    if found is None:
        found = context.__dict__[_KEPT] = st.session_state.setdefault(_KEPT, {})
    return found


def _same(context: ScriptRunContext, widgets: tuple[_Widget, ...]) -> bool:
    """Whether each widget holds what it held, and the browser need not be told of it."""
    state = context.session_state._state
    return all(
        (one.key is None or not state.is_new_state_value(one.key)) and _value(context, one.metadata) == one.value
        for one in widgets
    )


def _value(context: ScriptRunContext, metadata: WidgetMetadata[Any]) -> Any:
    """What a widget holds that was there in the run before; of a trigger that was not pulled, nothing."""
    with context.session_state._lock:
        for values in (context.session_state._state._new_widget_state, context.session_state._state._old_state):
            try:
                return values[metadata.id]
            except KeyError:
                continue
    return None if metadata.value_type.endswith("trigger_value") else _GONE


def _say_again(context: ScriptRunContext, cursor: RunningCursor, part: _Part) -> None:
    for name in part.ids:
        context.shared.widget_ids_this_run.check_and_add(name)
    for name in part.keys:
        context.shared.widget_user_keys_this_run.check_and_add(name)
    listened = "register_widget" in context.session_state.__dict__  # to a part that this one is in
    for one in part.widgets:
        if listened or not _known(context, one):
            context.session_state.register_widget(one.metadata, one.key)
    for message in part.messages:
        context.enqueue(message)
    for _place in range(part.places):
        cursor.lock_element()


def _known(context: ScriptRunContext, widget: _Widget) -> bool:
    """Whether Streamlit still has what this widget told it: to tell it again would cost half as much as all the rest.

    What it has may be a copy that names another type of value, the one that the browser sends.
    """
    known = context.session_state._state.get_widget_metadata(widget.metadata.id)
    return known is not None and known.deserializer is widget.metadata.deserializer

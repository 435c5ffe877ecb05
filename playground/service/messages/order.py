"""The order in which the browser is told."""

from __future__ import annotations

from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

_LIFE = ("new_session", "session_status_changed", "script_finished")


def running_last(messages: list[ForwardMsg]) -> list[ForwardMsg]:
    """The same messages, but that a run is under way is said after what it has drawn so far.

    The browser goes through its whole page for that news. Said first, it does so once more before anything new is on
    the screen; said last, while it does so for what is new. The end of the run is still said after it.
    """
    kinds = [message.WhichOneof("type") for message in messages]
    for start, kind in enumerate(kinds):
        if kind == "session_status_changed" and messages[start].session_status_changed.script_is_running:
            end = next((place for place in range(start + 1, len(kinds)) if kinds[place] in _LIFE), len(kinds))
            return [*messages[:start], *messages[start + 1 : end], messages[start], *running_last(messages[end:])]
    return messages

"""Whether the visitor whom something is computed for is still there."""

from __future__ import annotations

from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx


def visitor() -> str:
    """The session of the visitor whose page is being drawn; empty outside a server."""
    context = get_script_run_ctx(suppress_warning=True)
    return "" if context is None else context.session_id


def is_here(session: str) -> bool:
    """Whether the browser of this session is connected; always True outside a server."""
    return not runtime.exists() or bool(runtime.get_instance().is_active_session(session))

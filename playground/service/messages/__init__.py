"""A run's messages on their way to the browser: gathered in its thread, handed to the event loop, sent in one go.

A run has a hundred messages. Streamlit wakes the event loop for each of them, wakes it again to say that there is
something to send, and lets it go round once more for each that it sends. While pages are drawn, every such round waits
until the drawing thread hands over the interpreter, up to 5 ms each: of sixty visitors the last waited longer for his
messages to be passed on than for his page to be drawn. And the browser takes in the whole page anew for each handful of
messages that comes by itself.
"""

from __future__ import annotations

from playground.service.messages import gathering, sending
from playground.service.messages.sending import send_now

__all__ = ["install", "send_now"]


def install() -> None:
    """For the whole process, before its first session."""
    gathering.install()
    sending.install()

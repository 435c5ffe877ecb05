"""A text on the WebSocket ends the connection as the protocol has it: Streamlit's is made of bytes alone."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

UNSUPPORTED_DATA = 1003  # RFC 6455


class Frames:
    """ASGI middleware that closes a WebSocket on which a text arrives, and lets the app hear that it is closed."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on but a text, of which Streamlit would ask in vain for its bytes."""
        if scope["type"] != "websocket":
            await self.app(scope, receive, send)
            return
        closed = False

        async def heard() -> Message:
            nonlocal closed
            message = await receive()
            if message["type"] == "websocket.receive" and message.get("bytes") is None:
                closed = True
                await send({"type": "websocket.close", "code": UNSUPPORTED_DATA})
                return {"type": "websocket.disconnect", "code": UNSUPPORTED_DATA}
            return message

        async def said(message: Message) -> None:
            if not closed:  # what the app had still to say is for nobody
                await send(message)

        await self.app(scope, heard, said)

"""What no page of ours would send over the WebSocket, sent to the real server."""

from __future__ import annotations

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from benchmarks.visitor import Visitor
from playground.service.frames import Frames
from tests.browser.test_load import run


@pytest.mark.parametrize("text", ["{", "[" * 200_000])
def test_a_component_that_says_no_json_breaks_nothing(address: str, text: str) -> None:
    async def visit() -> None:
        visitor = Visitor(address, {"text": "one two", "heads": "2", "width": "12"})
        await visitor.open()
        await visitor.change("c_heads", "4")
        assert visitor.picture is not None
        name = visitor.picture.panel
        visitor._states[name] = WidgetState(id=name, json_value=text)
        await visitor.change("c_heads", "3")  # a run that ends in an exception is a Failure
        assert visitor.picture.weights.shape == (3, 2, 2)
        await visitor.close()

    run(visit())


def test_a_text_closes_the_connection_it_came_by(address: str) -> None:
    async def visit() -> None:
        other = Visitor(address, {"text": "one two", "heads": "2", "width": "12"})
        await other.open()
        stream = address.replace("http", "ws") + "/_stcore/stream"
        async with connect(stream, subprotocols=["streamlit"], origin=address) as socket:  # type: ignore[arg-type, list-item]
            await socket.send("hello")
            with pytest.raises(ConnectionClosedError) as closed:
                while True:
                    await socket.recv()
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 1003
        await other.change("c_heads", "3")
        assert other.picture is not None and other.picture.weights.shape == (3, 2, 2)
        await other.close()

    run(visit())


def test_the_app_hears_that_it_is_closed_and_says_no_more() -> None:
    coming = [{"type": "websocket.connect"}, {"type": "websocket.receive", "bytes": b"1"}]
    coming += [{"type": "websocket.receive", "text": "hello"}]
    heard, sent = [], []

    async def receive() -> dict[str, object]:
        return coming.pop(0)

    async def send(message: object) -> None:
        sent.append(message)

    async def app(scope: object, receive: object, send: object) -> None:
        for _ in range(3):
            heard.append(await receive())  # type: ignore[operator]
            await send({"type": "websocket.send", "bytes": b"2"})  # type: ignore[operator]

    run(Frames(app)({"type": "websocket"}, receive, send))  # type: ignore[arg-type]
    assert [message["type"] for message in heard] == ["websocket.connect", "websocket.receive", "websocket.disconnect"]
    assert heard[-1]["code"] == 1003
    assert sent == [*[{"type": "websocket.send", "bytes": b"2"}] * 2, {"type": "websocket.close", "code": 1003}]

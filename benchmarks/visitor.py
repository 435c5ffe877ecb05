"""A visitor without a browser: Streamlit's protocol over a real websocket, as the page's own script speaks it.

It keeps what a browser keeps: cookies, the address, the value of every widget on the page, the messages that the server
may refer to by their hash, and the id of the session to ask for after a broken connection. A run counts once the
server has said that the script is finished; the picture is then decoded from the message of the panel `hero`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from benchmarks.picture import Picture, read
from benchmarks.widget_state import state_of

# The pictures of the playground that lie within reach of a screen of 1280 x 800: of the others the page says, half a
# second after the first change, that nobody sees them (playground/panel/sight.js).
IN_SIGHT = ("hero", "stage_embedding", "stage_q")
QUIET = 0.5  # seconds
PATIENCE = 30.0  # seconds until a run that has not ended counts as a failure


class Failure(Exception):
    """What a visitor would complain about, in words."""


@dataclass
class _Kept:
    message: bytes
    run: int


@dataclass
class Visitor:
    """One tab. `address` is the server's, `query` the link that is opened."""

    address: str
    query: Mapping[str, str]
    picture: Picture | None = None
    runs: int = 0
    session: str = ""
    received: int = 0  # bytes
    references: int = 0  # messages that were only referred to
    _search: str = ""
    _script: str = ""
    _socket: ClientConnection | None = None
    _cookies: SimpleCookie = field(default_factory=SimpleCookie)
    _states: dict[str, WidgetState] = field(default_factory=dict)
    _options: dict[str, list[str]] = field(default_factory=dict)
    _cache: dict[str, _Kept] = field(default_factory=dict)
    _max_age: int = 2
    _panels: set[str] = field(default_factory=set)
    _told: bool = False

    async def open(self) -> float:
        """Open the link; milliseconds until the first picture is there."""
        begin = time.perf_counter()
        self._search = urlencode(self.query)
        await self._connect()
        await self._run()
        return (time.perf_counter() - begin) * 1000

    async def reconnect(self) -> float:
        """Come back after a broken connection, as the page does; milliseconds until the picture is there again."""
        begin = time.perf_counter()
        await self._connect()
        await self._run()
        return (time.perf_counter() - begin) * 1000

    async def broken_within(self, seconds: float) -> bool:
        """Wait so long; at once True if the connection breaks meanwhile."""
        assert self._socket is not None, "open the link first"
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._socket.wait_closed(), max(0.0, seconds))
            return True
        return False

    async def close(self) -> None:
        """Close the tab."""
        if self._socket is not None:
            await self._socket.close()
            self._socket = None

    async def change(self, key: str, value: Any) -> float:
        """Move one widget, named by its key; milliseconds from the message sent to the result complete.

        A list of options takes the option's label, a slider over options too. Failure where the run brings none.
        """
        name = next((name for name in self._states if name.endswith(f"-{key}")), None)
        if name is None:
            raise Failure(f"there is no widget {key} on the page")
        state = self._states[name]
        kind = state.WhichOneof("value")
        if kind in ("string_array_value", "double_array_value"):
            values = getattr(state, kind)
            del values.data[:]
            values.data.append(value)
        else:
            setattr(state, kind or "string_value", value)
        begin = time.perf_counter()
        await self._run()
        taken = (time.perf_counter() - begin) * 1000
        if not self._told:
            self._told = True
            await asyncio.sleep(QUIET)
            self._say({"far": [key for key in self.pictures if key not in IN_SIGHT]})
            await self._rerun()
        return taken

    @property
    def pictures(self) -> list[str]:
        """The keys of the pictures on the page."""
        keys = sorted(panel.rpartition("-")[2] for panel in self._panels)
        return [key for key in keys if key == "hero" or key.startswith("stage_")]

    def _say(self, state: Mapping[str, object]) -> None:
        """What the picture at the top, for all of them, says of itself and of them."""
        assert self.picture is not None, "open the link first"
        name = self.picture.panel
        before = json.loads(self._states[name].json_value) if name in self._states else {}
        self._states[name] = WidgetState(id=name, json_value=json.dumps({**before, **state}))

    @property
    def link(self) -> str:
        """What the address bar says after the question mark."""
        return self._search

    def options(self, key: str) -> list[str]:
        """What a widget offers."""
        return next(options for name, options in self._options.items() if name.endswith(f"-{key}"))

    async def _connect(self) -> None:
        parts = urlsplit(self.address)
        for path in ("/_stcore/health", "/_stcore/host-config"):
            await self._get(parts.hostname or "", parts.port or 80, path)
        token = self._cookies["_streamlit_xsrf"].value if "_streamlit_xsrf" in self._cookies else "none"
        wanted = ["streamlit", token, *([self.session] if self.session else [])]
        self._socket = await connect(
            f"ws://{parts.netloc}/_stcore/stream",
            subprotocols=wanted,  # type: ignore[arg-type]
            origin=self.address,  # type: ignore[arg-type]
            additional_headers={"Cookie": self._cookie_header()},
            max_size=None,
            compression=None,  # the server offers none either
            ping_interval=None,  # the browser answers pings and sends none
        )

    async def _get(self, host: str, port: int, path: str) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            lines = [f"GET {path} HTTP/1.1", f"Host: {host}:{port}", "Connection: close"]
            if self._cookies:
                lines.append(f"Cookie: {self._cookie_header()}")
            writer.write("\r\n".join([*lines, "", ""]).encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            await reader.read()
        except asyncio.IncompleteReadError as problem:
            raise ConnectionResetError(f"{path}: no answer") from problem
        finally:
            writer.close()
        if " 200 " not in head[0]:
            raise ConnectionResetError(f"{path}: {head[0]}")
        for line in head:
            name, _, value = line.partition(":")
            if name.lower() == "set-cookie":
                self._cookies.load(value.strip())

    def _cookie_header(self) -> str:
        return "; ".join(f"{name}={morsel.value}" for name, morsel in self._cookies.items())

    async def _run(self) -> None:
        """Ask for a run of the script with what the page knows now, and take in what comes."""
        await self._rerun()
        # A panel with many numbers is sent them once it has said that it is near the screen.
        if self.picture is not None and self.picture.waiting:
            self._say({"near": True})
            await self._rerun()

    async def _rerun(self) -> None:
        assert self._socket is not None, "open the link first"
        state = ClientState(query_string=self._search, page_script_hash=self._script)
        state.widget_states.widgets.extend(self._states.values())
        state.cached_message_hashes.extend(self._cache)
        state.context_info.timezone = "UTC"
        state.context_info.locale = "en-US"
        state.context_info.url = f"{self.address}/?{self._search}" if self._search else f"{self.address}/"
        state.context_info.color_scheme = "light"
        try:
            await self._socket.send(BackMsg(rerun_script=state).SerializeToString())
            await asyncio.wait_for(self._receive(self._socket), PATIENCE)
        except TimeoutError:
            raise Failure(f"no result in {PATIENCE:.0f} s") from None
        except ConnectionClosed as problem:
            raise ConnectionResetError(str(problem)) from problem
        self.runs += 1

    async def _receive(self, socket: ClientConnection) -> None:
        present: set[str] = set()
        panels: set[str] = set()
        hero: tuple[str, bytes] | None = None
        trouble: list[str] = []
        while True:
            raw = await socket.recv(decode=False)
            self.received += len(raw)
            message = self._resolved(raw)
            kind = message.WhichOneof("type")
            if kind == "delta":
                element = message.delta.new_element
                what = element.WhichOneof("type")
                if what == "bidi_component":
                    panel = element.bidi_component
                    present.add(panel.id)
                    panels.add(panel.id)
                    if panel.id.endswith("-hero"):
                        hero = panel.id, panel.bytes
                elif what == "exception":
                    trouble.append(f"{element.exception.type}: {element.exception.message}")
                elif what is not None and (state := state_of(element, what, self._states)) is not None:
                    present.add(state.id)
                    self._states[state.id] = state
                    if what in ("selectbox", "slider"):
                        self._options[state.id] = list(getattr(element, what).options)
            elif kind == "new_session":
                self.session = message.new_session.initialize.session_id
                self._script = message.new_session.page_script_hash
                self._max_age = message.new_session.config.max_cached_message_age
            elif kind == "navigation":
                self._script = message.navigation.page_script_hash
            elif kind == "page_info_changed":
                self._search = message.page_info_changed.query_string
            elif kind == "script_finished" and message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                break
        self._states = {name: state for name, state in self._states.items() if name in present}
        self._panels = panels
        self._grow_old()
        if trouble:
            raise Failure("; ".join(trouble))
        if hero is None:
            raise Failure("the page came without its picture")
        self.picture = read(*hero)

    def _resolved(self, raw: bytes) -> ForwardMsg:
        message = ForwardMsg.FromString(raw)
        if message.WhichOneof("type") == "ref_hash":
            kept = self._cache.get(message.ref_hash)
            if kept is None:
                raise Failure("the server refers to a message that the browser has forgotten")
            kept.run = self.runs
            self.references += 1
            found = ForwardMsg.FromString(kept.message)
            found.metadata.CopyFrom(message.metadata)
            return found
        if message.metadata.cacheable:
            self._cache.setdefault(message.hash, _Kept(raw, self.runs)).run = self.runs
        return message

    def _grow_old(self) -> None:
        old = [name for name, kept in self._cache.items() if self.runs + 1 - kept.run > self._max_age]
        for name in old:
            del self._cache[name]

"""A cable between a browser and a server that can be pulled out: every connection breaks, and none can be made."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit


class Cable:
    """Listens on a port of its own, `address`, and hands on what comes while it is plugged in."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._lock = threading.Lock()
        self._ends: set[socket.socket] = set()
        self._plugged = True
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def pull(self) -> None:
        """Break every connection, and refuse new ones."""
        with self._lock:
            self._plugged = False
            ends, self._ends = self._ends, set()
        for end in ends:
            _shut(end)

    def plug_in(self) -> None:
        """Hand on again what comes from now on."""
        with self._lock:
            self._plugged = True

    def close(self) -> None:
        """Take it away."""
        self.pull()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                plugged = self._plugged
            try:
                far = socket.create_connection(self._target) if plugged else None
            except OSError:
                far = None
            if far is None:
                _shut(near)
                continue
            with self._lock:
                self._ends |= {near, far}
            for source, drain in ((near, far), (far, near)):
                threading.Thread(target=self._hand_on, args=(source, drain), daemon=True).start()

    def _hand_on(self, source: socket.socket, drain: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                drain.sendall(data)
        with self._lock:
            self._ends -= {source, drain}
        _shut(source)
        _shut(drain)


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@contextlib.contextmanager
def cable(target: str) -> Iterator[Cable]:
    """A cable to `target`, taken away at the end."""
    made = Cable(target)
    try:
        yield made
    finally:
        made.close()

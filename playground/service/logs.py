"""The log: one JSON object a line on standard error, and never a word that a visitor typed.

Our own events carry numbers and names of ours only. What other packages log may quote a visitor (a ValueError names the
value, an address holds the text), so of their records only the level, the place in the source and the kind of
exception are kept, with the frames it went through.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from playground.service.settings import plain_logs

NAME = "attention"
_LOG = logging.getLogger(NAME)
_LEFT_OUT = "(the message may hold a visitor's words and is left out)"


def event(name: str, **values: str | int | float | None) -> None:
    """Log that something happened; `values` are numbers and names of ours, never what a visitor wrote."""
    _LOG.info(name, extra={"values": {key: value for key, value in values.items() if value is not None}})


def failure(name: str, problem: BaseException, **values: str | int | float) -> None:
    """Log an exception: its kind and the way it took, not its message."""
    _LOG.error(name, extra={"values": {**values, **_about(problem)}})


def _about(problem: BaseException) -> dict[str, Any]:
    frames = traceback.extract_tb(problem.__traceback__)
    return {
        "exception": type(problem).__name__,
        "frames": [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames[-12:]],
    }


def _short(path: str) -> str:
    return "/".join(path.replace("\\", "/").split("/")[-3:])


class _Scrubbed(logging.LogRecord):
    """A record of another package without its message: whatever handler prints it has nothing to tell."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        problem = self.exc_info[1] if self.exc_info else None
        self.values = {"where": f"{_short(self.pathname)}:{self.lineno}", **(_about(problem) if problem else {})}
        self.msg = f"{self.values['where']} {self.values.get('exception', '')} {_LEFT_OUT}"
        self.args, self.exc_info, self.exc_text, self.stack_info = (), None, None, None


def _record(name: str, *args: Any, **more: Any) -> logging.LogRecord:
    if name == NAME or name.startswith(f"{NAME}."):
        return logging.LogRecord(name, *args, **more)
    _adopt(logging.getLogger(name))
    return _Scrubbed(name, *args, **more)


def _adopt(logger: logging.Logger) -> None:
    """Let what a logger is about to say go through our handler only, whoever set it up, and whenever."""
    while logger.parent is not None:
        logger.handlers, logger.propagate = [], True
        logger = logger.parent


class Lines(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """`{"time": ..., "level": ..., "event": ..., ...}`; another package's record has `logger` for `event`."""
        ours = record.name == NAME
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            **({"event": record.msg} if ours else {"logger": record.name}),
            **getattr(record, "values", {}),
        }
        return json.dumps(line, ensure_ascii=False, default=str)


def install() -> None:
    """Write everything that is logged in this process as said above; nothing where `ATTENTION_LOG=plain`."""
    handler = logging.StreamHandler()
    handler.setFormatter(Lines())
    _LOG.setLevel(logging.INFO)
    if plain_logs():
        return
    _LOG.handlers, _LOG.propagate = [handler], False
    logging.setLogRecordFactory(_record)
    logging.captureWarnings(True)
    logging.getLogger().handlers = [handler]
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_a_thread


def _uncaught(kind: type[BaseException], problem: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        failure("uncaught", problem)


def _uncaught_in_a_thread(given: threading.ExceptHookArgs) -> None:
    if given.exc_value is not None and not issubclass(given.exc_type, SystemExit):
        failure("uncaught", given.exc_value)

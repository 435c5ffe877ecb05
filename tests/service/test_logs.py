"""The log: lines of JSON that never hold what a visitor wrote, whoever writes them."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from playground.service import logs, settings

SECRET = "Geheimtipp"


class Log:
    """What was written, as text and as the objects of its lines."""

    def __init__(self, stream: io.StringIO) -> None:
        self._stream = stream

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    """The log as the server installs it; everything as it was afterwards."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    settings.plain_logs.cache_clear()
    factory, root = logging.getLogRecordFactory(), logging.getLogger()
    loggers = [root, *(logging.getLogger(name) for name in list(logging.Logger.manager.loggerDict))]
    before = [(logger, logger.handlers, logger.propagate, logger.level) for logger in loggers]
    hooks = sys.excepthook, threading.excepthook
    logs.install()
    yield Log(stream)
    logging.captureWarnings(False)
    logging.setLogRecordFactory(factory)
    sys.excepthook, threading.excepthook = hooks
    for logger, handlers, propagate, level in before:
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)
    settings.plain_logs.cache_clear()


def test_an_event_is_one_line(log: Log) -> None:
    logs.event("rerun", page="heads", ms=12.5, waited_ms=None, computed=0)
    [line] = log.lines
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "info", "event": "rerun", "page": "heads", "ms": 12.5, "computed": 0}


def fail() -> None:
    raise ValueError(f"text={SECRET!r}: allowed is another")


def test_a_failure_is_its_kind_and_its_way(log: Log) -> None:
    try:
        fail()
    except ValueError as problem:
        logs.failure("failed", problem, page="heads")
    [line] = log.lines
    assert (line["event"], line["exception"], line["level"]) == ("failed", "ValueError", "error")
    assert line["frames"][-1].startswith("tests/service/test_logs.py:") and line["frames"][-1].endswith(" fail")
    assert SECRET not in log.text


def test_other_packages_tell_where_not_what(log: Log) -> None:
    """Streamlit logs an exception of a page with its message, and that names the value."""
    from streamlit.error_util import handle_uncaught_app_exception

    try:
        fail()
    except ValueError as problem:
        handle_uncaught_app_exception(problem)
    logging.getLogger("uvicorn.error").warning("Invalid request: %s", SECRET)
    logging.getLogger("somebody").error(f"what about {SECRET}")
    warnings.warn(f"{SECRET} is deprecated", stacklevel=1)
    assert SECRET not in log.text
    kinds = [(line["logger"], line["level"], line.get("exception")) for line in log.lines]
    assert ("streamlit.error_util", "error", "ValueError") in kinds
    assert ("uvicorn.error", "warning", None) in kinds and ("somebody", "error", None) in kinds
    assert ("py.warnings", "warning", None) in kinds
    assert all(line["where"] for line in log.lines)


def test_a_logger_made_later_writes_as_the_others_do(log: Log) -> None:
    later, stream = logging.getLogger("made.later"), io.StringIO()
    later.addHandler(logging.StreamHandler(stream))
    try:
        fail()
    except ValueError:
        later.exception("about %s", SECRET)
    [line] = log.lines
    assert (line["logger"], line["exception"]) == ("made.later", "ValueError") and SECRET not in log.text
    assert stream.getvalue() == ""


def test_uvicorn_s_complaint_about_a_request_is_a_line_too(log: Log) -> None:
    """Streamlit cuts this logger off from its parent, and uvicorn takes its handlers away."""
    uvicorn.Config("nothing", access_log=False)
    logger = logging.getLogger("uvicorn.error")
    logger.handlers, logger.propagate = [], False
    logger.warning("Invalid HTTP request received: %s", SECRET)
    [line] = log.lines
    assert (line["logger"], line["level"]) == ("uvicorn.error", "warning") and SECRET not in log.text
    assert not logging.getLogger("uvicorn.access").hasHandlers()  # by which uvicorn knows that nobody wants it


def test_what_nobody_catches_is_logged_without_its_message(log: Log) -> None:
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    [line] = log.lines
    assert (line["event"], line["exception"]) == ("uncaught", "ValueError") and SECRET not in log.text


def test_plain_logs_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTENTION_LOG", "plain")
    settings.plain_logs.cache_clear()
    factory = logging.getLogRecordFactory()
    logs.install()
    assert logging.getLogRecordFactory() is factory
    settings.plain_logs.cache_clear()

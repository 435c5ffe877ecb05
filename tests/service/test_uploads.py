"""Files are taken only from a tab whose page asks for one, one a tab, so many bytes together, and go once read."""

from __future__ import annotations

import asyncio
import io
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.formparsers import MultiPartParser
from starlette.middleware import Middleware
from starlette.types import Message, Receive, Scope, Send
from streamlit.proto.Common_pb2 import FileURLs
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFile, UploadedFileRec
from streamlit.web.server.starlette import starlette_routes

from attention_core.trained.kept import LARGEST
from playground.service import uploads
from playground.service.problem import Problem
from playground.service.settings import MEBIBYTE, Service
from playground.service.uploads import ROUND_IT, UNREAD, Desk, Uploads

MIB = MEBIBYTE


@pytest.fixture
def files() -> MemoryUploadedFileManager:
    return MemoryUploadedFileManager("/_stcore/upload_file")


@pytest.fixture
def desk(files: MemoryUploadedFileManager, monkeypatch: pytest.MonkeyPatch) -> Desk:
    found = Desk(Service(uploads_mb=10), lambda: files)
    monkeypatch.setattr(uploads, "desk", lambda: found)
    return found


def put(files: MemoryUploadedFileManager, tab: str, size: int, name: str = "f") -> None:
    files.add_file(tab, UploadedFileRec(name, "run.safetensors", "application/octet-stream", b"x" * size))


def held(files: MemoryUploadedFileManager) -> dict[str, int]:
    return {tab: sum(len(file.data) for file in kept.values()) for tab, kept in files.file_storage.items() if kept}


def refused(desk: Desk, tab: str, size: int | None) -> int:
    with pytest.raises(Problem) as problem:
        desk.enter(tab, size)
    return problem.value.status


def test_only_a_tab_whose_page_asks_may_send(desk: Desk) -> None:
    assert refused(desk, "a", 10) == 403
    desk.expect("a")
    desk.enter("a", 10)()
    assert refused(desk, "b", 10) == 403
    desk.leave("a")
    assert refused(desk, "a", 10) == 403


def test_what_was_sent_goes_with_the_page(desk: Desk, files: MemoryUploadedFileManager) -> None:
    desk.expect("a")
    put(files, "a", 100)
    put(files, "b", 100)
    desk.leave("b")  # has not asked: nothing of it is touched
    desk.leave("a")
    assert held(files) == {"b": 100}


def test_a_file_takes_the_place_of_the_one_before(desk: Desk, files: MemoryUploadedFileManager) -> None:
    desk.expect("a")
    put(files, "a", 4 * MIB)
    leave = desk.enter("a", 4 * MIB)
    assert held(files) == {}
    assert refused(desk, "a", 10) == 409
    leave()
    desk.enter("a", 10)


def test_so_many_bytes_together(desk: Desk, files: MemoryUploadedFileManager) -> None:
    """A file counts twice while it comes and once when it is there; of ten MiB that is."""
    for tab in "abc":
        desk.expect(tab)
    leave = desk.enter("a", 4 * MIB)
    assert refused(desk, "b", MIB + 1) == 503
    desk.enter("b", MIB)()
    put(files, "a", 4 * MIB)
    leave()
    assert refused(desk, "b", 3 * MIB + 1) == 503
    desk.enter("b", 3 * MIB)()
    files.remove_file("a", "f")  # the page has read it
    desk.enter("b", 5 * MIB)()


def test_what_no_page_has_read_goes_for_a_new_one(
    desk: Desk, files: MemoryUploadedFileManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(uploads.time, "monotonic", lambda: now)
    for tab in "ab":
        desk.expect(tab)
    desk.enter("a", 4 * MIB)()
    put(files, "a", 4 * MIB)
    now += UNREAD - 1
    assert refused(desk, "b", 4 * MIB) == 503 and held(files) == {"a": 4 * MIB}
    now += 2
    desk.enter("b", 4 * MIB)
    assert held(files) == {}


@pytest.mark.parametrize(("size", "status"), [(None, 411), (LARGEST + ROUND_IT + 1, 413)])
def test_the_size_is_said_and_bounded(desk: Desk, size: int | None, status: int) -> None:
    desk.expect("a")
    assert refused(desk, "a", size) == status


def test_a_page_reads_a_file_once_and_nobody_keeps_it(
    files: MemoryUploadedFileManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = UploadedFileRec("f", "run.safetensors", "application/octet-stream", b"weights")
    files.add_file("a", record)
    context = SimpleNamespace(session_id="a", uploaded_file_mgr=files)
    monkeypatch.setattr(uploads, "get_script_run_ctx", lambda: context)
    file = UploadedFile(record, FileURLs())
    assert uploads.take(file) == b"weights"
    assert held(files) == {} and file.getvalue() == b"" and file.name == "run.safetensors"


# ---- the middleware, before Streamlit's own route


def send(
    files: MemoryUploadedFileManager, tab: str, content: bytes, monkeypatch: pytest.MonkeyPatch, method: str = "PUT"
) -> int:
    monkeypatch.setattr(starlette_routes, "is_xsrf_enabled", lambda: False)
    runtime: Any = SimpleNamespace(is_active_session=lambda session: True)
    routes = starlette_routes.create_upload_routes(runtime, files, None)
    app = Starlette(routes=routes, middleware=[Middleware(Uploads)])
    body = b'--B\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n\r\n' + content + b"\r\n--B--\r\n"
    status = 0
    pieces = io.BytesIO(body)

    async def receive() -> Message:
        piece = pieces.read(50_000)
        return {"type": "http.request", "body": piece, "more_body": pieces.tell() < len(body)}

    async def answered(message: Message) -> None:
        nonlocal status
        status = message.get("status", status)

    scope = {
        "type": "http",
        "method": method,
        "path": f"/_stcore/upload_file/{tab}/name",
        "raw_path": b"",
        "root_path": "",
        "query_string": b"",
        "headers": [
            (b"content-type", b"multipart/form-data; boundary=B"),
            (b"content-length", str(len(body)).encode()),
        ],
    }
    asyncio.run(app(scope, receive, answered))
    return status


def test_streamlit_s_own_route_is_behind_it(
    desk: Desk, files: MemoryUploadedFileManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert send(files, "a", b"weights", monkeypatch) == 403
    desk.expect("a")
    assert send(files, "a", b"weights", monkeypatch) == 204
    assert files.get_files("a", ["name"])[0].data == b"weights"
    assert send(files, "a", b"others", monkeypatch) == 204  # the one before is no longer on its way
    assert held(files) == {"a": 6}
    assert send(files, "a", b"", monkeypatch, "DELETE") == 204 and held(files) == {}


def test_no_file_touches_the_disk(
    desk: Desk, files: MemoryUploadedFileManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Starlette would put what is larger than a megabyte into a temporary file."""
    monkeypatch.setattr(MultiPartParser, "spool_max_size", 1024 * 1024)
    monkeypatch.setattr("tempfile.SpooledTemporaryFile.rollover", lambda self: pytest.fail("it went to the disk"))
    desk.expect("a")
    assert send(files, "a", b"x" * (4 * MIB), monkeypatch) == 204
    assert held(files) == {"a": 4 * MIB}


def test_a_file_that_comes_too_slowly_does_not_keep_its_place(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "service", lambda: SimpleNamespace(answer_seconds=0.05))
    desk.expect("a")
    said: list[Any] = []

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(3600)

    async def answered(message: Message) -> None:
        said.append(message)

    async def nothing() -> Message:
        await asyncio.sleep(3600)
        return {}

    scope = {
        "type": "http",
        "method": "PUT",
        "path": "/_stcore/upload_file/a/b",
        "headers": [(b"content-length", b"9")],
    }
    asyncio.run(Uploads(endless)(scope, nothing, answered))
    assert said[0]["status"] == 408
    desk.enter("a", 10)

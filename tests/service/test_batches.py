"""Messages in batches: all of them, in their order, and the loop is woken once for many."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import Any

import pytest

from playground.service.batches import AT_ONCE, Batch, _Sleep
from tests.conftest import ROOT


class Loop(asyncio.SelectorEventLoop):
    """Counts how often another thread has woken it."""

    woken = 0

    def call_soon_threadsafe(self, callback: Any, *args: Any, **more: Any) -> asyncio.Handle:
        self.woken += 1
        return super().call_soon_threadsafe(callback, *args, **more)


@pytest.fixture
def loop() -> Any:
    made = Loop()
    yield made
    if not made.is_closed():
        made.close()


def test_everything_is_called_in_its_order_and_the_loop_is_woken_once(loop: Loop) -> None:
    seen: list[int] = []
    batch = Batch(loop)
    for number in range(100):
        batch.add(lambda number=number: seen.append(number))  # type: ignore[misc]
    assert seen == [] and loop.woken == 1
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert seen == list(range(100))


def test_nothing_is_lost_between_threads(loop: Loop) -> None:
    """Each thread's own in its order, while the loop takes them out."""
    seen: list[tuple[int, int]] = []
    batch = Batch(loop)

    def work(name: int) -> None:
        for number in range(2000):
            batch.add(lambda number=number: seen.append((name, number)))  # type: ignore[misc]

    threads = [threading.Thread(target=work, args=(name,)) for name in range(3)]
    for thread in threads:
        thread.start()

    async def until_all() -> None:
        while len(seen) < 6000:
            await asyncio.sleep(0.001)

    loop.run_until_complete(asyncio.wait_for(until_all(), 30))
    for thread in threads:
        thread.join()
    for name in range(3):
        assert [number for who, number in seen if who == name] == list(range(2000))
    assert loop.woken < 6000


def test_what_comes_while_the_batch_is_done_comes_after_it(loop: Loop) -> None:
    seen: list[str] = []
    batch = Batch(loop)
    batch.add(lambda: (seen.append("first"), batch.add(lambda: seen.append("third"))))
    batch.add(lambda: seen.append("second"))
    loop.call_soon(lambda: loop.call_soon(loop.stop))
    loop.run_forever()
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert seen == ["first", "second", "third"]


def test_one_that_fails_keeps_none_of_the_others(loop: Loop) -> None:
    seen: list[str] = []
    told: list[Any] = []
    loop.set_exception_handler(lambda _loop, context: told.append(context["exception"]))
    batch = Batch(loop)
    batch.add(lambda: 1 // 0)  # type: ignore[arg-type, return-value]
    batch.add(lambda: seen.append("after"))
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert seen == ["after"] and isinstance(told[0], ZeroDivisionError)


def test_a_loop_that_is_closed_is_no_error(loop: Loop) -> None:
    loop.close()
    Batch(loop).add(lambda: None)


def test_others_have_their_turn_now_and_then() -> None:
    """A hundred messages go out in one go, then everybody else's work; a real pause is a real pause."""
    turns: list[int] = []

    async def other() -> None:
        while True:
            turns.append(1)
            await asyncio.sleep(0)

    async def send() -> None:
        sleep = _Sleep()
        task = asyncio.create_task(other())
        await asyncio.sleep(0)
        before = len(turns)
        for _message in range(AT_ONCE - 1):
            await sleep.sleep(0)
        assert len(turns) == before
        await sleep.sleep(0)
        assert len(turns) > before
        begin = asyncio.get_running_loop().time()
        await sleep.sleep(0.02)
        assert asyncio.get_running_loop().time() - begin >= 0.019
        assert sleep.Event is asyncio.Event
        task.cancel()

    asyncio.run(send())


def test_it_is_there_once_the_server_is_warm() -> None:
    asked = (
        "from playground.warmup import warm_up; warm_up();"
        "from streamlit.runtime import runtime; from streamlit.runtime.app_session import AppSession;"
        "print(type(runtime.asyncio).__name__, AppSession._call_soon_on_event_loop.__module__)"
    )
    said = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout.split()[-2:] == ["_Sleep", "playground.service.batches"]

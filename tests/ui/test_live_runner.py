"""Who trains when: the queue and its places, the limit, pausing, turns, and visitors who leave. Nothing sleeps."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch

from attention_core.trained.history import History
from attention_core.trained.plan import Plan
from attention_core.trained.training import Checkpoint
from playground.live import limits as limits_module
from playground.live.limits import TrainingLimits, training_limits
from playground.live.run import SNAPSHOTS, Run
from playground.live.runner import PATIENCE, Runner
from tests.conftest import ROOT

SMALL = replace(Plan.of("reversal"), d_model=16)
TURN = 20.0
LONG = 30  # seconds that a test waits at most for a thread; it never does


class Stepping(Run):
    """A run whose steps the test lets through one by one."""

    def __init__(self, name: str) -> None:
        self.name, self.until, self.failed, self.left = name, 0, "", False
        self.count = 0
        self.settled = 0
        self.allowed = threading.Semaphore(0)
        self.made = threading.Semaphore(0)

    @property
    def done(self) -> int:
        return self.count

    def advance(self) -> None:
        assert self.allowed.acquire(timeout=LONG)
        self.count += 1
        self.made.release()

    def settle(self) -> None:
        self.settled += 1

    def let(self, steps: int = 1) -> None:
        """Let so many steps through, and wait until they are made."""
        for _ in range(steps):
            self.allowed.release()
            assert self.made.acquire(timeout=LONG)


class World:
    """A runner with a clock that the test turns, and visitors who are there or not."""

    def __init__(self, slots: int) -> None:
        self.now = 0.0
        self.gone: set[str] = set()
        self.runs: list[Stepping] = []
        self.runner = Runner(slots, turn=TURN, here=lambda visitor: visitor not in self.gone, clock=lambda: self.now)

    def start(self, name: str, until: int = 1000) -> Stepping:
        run = Stepping(name)
        self.runs.append(run)
        self.runner.start(run, until, name)
        return run

    def wait_until(self, true: Callable[[], bool]) -> None:
        end = time.monotonic() + LONG
        with self.runner._change:
            while not true():
                assert time.monotonic() < end
                self.runner._change.wait(0.01)

    def learning(self, *runs: Run) -> None:
        """Wait until just these are learning."""
        self.wait_until(lambda: {ticket.run for ticket in self.runner._learning} == set(runs))

    def close(self) -> None:
        for run in self.runs:
            for _ in range(8):
                run.allowed.release()
        self.runner.close()


@pytest.fixture
def world() -> Iterator[Callable[[int], World]]:
    made: list[World] = []

    def make(slots: int) -> World:
        made.append(World(slots))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_the_queue_names_the_runs_before_yours_and_keeps_the_order(world: Callable[[int], World]) -> None:
    w = world(1)
    first = w.start("first", until=2)
    second, third = w.start("second", until=1), w.start("third", until=1)
    w.wait_until(lambda: len(w.runner._waiting) == 2)
    assert (w.runner.ahead(first), w.runner.ahead(second), w.runner.ahead(third)) == (None, 1, 2)
    assert w.runner.is_learning(first) and not w.runner.is_learning(second) and w.runner.busy(third)
    first.let(2)
    w.learning(second)
    assert w.runner.ahead(third) == 1 and first.settled == 1
    second.let()
    w.learning(third)
    third.let()
    w.learning()
    assert [run.count for run in w.runs] == [2, 1, 1]
    assert not w.runner.busy(third) and w.runner.ahead(third) is None


def test_no_more_than_the_limit_learn_at_once(world: Callable[[int], World]) -> None:
    w = world(2)
    runs = [w.start(f"visitor {number}") for number in range(5)]
    w.learning(*runs[:2])
    runs[0].let(3), runs[1].let(2)
    assert [run.count for run in runs] == [3, 2, 0, 0, 0]
    assert [w.runner.ahead(run) for run in runs] == [None, None, 1, 2, 3]
    assert len(w.runner._workers) == 2


def test_a_pause_stops_at_the_next_step_and_makes_room(world: Callable[[int], World]) -> None:
    w = world(1)
    run, other = w.start("one"), w.start("two", until=1)
    w.learning(run)
    run.allowed.release()  # the step that is being made while somebody presses Pause
    w.runner.pause(run)
    assert run.count in (0, 1) and not w.runner.busy(run) and run.settled == 1
    before = run.count
    w.learning(other)
    other.let()
    w.learning()
    assert run.count == before
    w.runner.start(run, 1000, "one")
    w.learning(run)
    third = w.start("waits")
    assert w.runner.ahead(third) == 1
    w.runner.pause(third)  # a run that waits can be paused, too
    assert w.runner.ahead(third) is None and w.runner.busy(run)


def test_a_run_ends_when_its_visitor_has_left(world: Callable[[int], World]) -> None:
    w = world(1)
    leaves, stays = w.start("leaves"), w.start("stays")
    queued = w.start("leaves from the queue")
    w.learning(leaves)
    leaves.let(3)
    w.gone |= {"leaves", "leaves from the queue"}
    leaves.allowed.release()  # the step that it was waiting to make
    w.learning(stays)
    assert leaves.count == 4 and not w.runner.busy(leaves)
    assert w.runner.ahead(queued) is None and not w.runner.busy(queued)
    assert leaves.left and queued.left and not stays.left  # so the page can say why, should they come back
    w.gone.clear()
    w.runner.start(queued, 1000, "leaves from the queue")
    assert not queued.left


def test_a_run_ends_when_its_page_is_silent_and_a_sign_of_life_keeps_it(world: Callable[[int], World]) -> None:
    w = world(2)
    heard, silent = w.start("heard"), w.start("silent")
    w.learning(heard, silent)
    w.now = PATIENCE - 1
    w.runner.hear(heard)
    heard.let(), silent.let()
    w.now = PATIENCE + 1
    heard.allowed.release(), silent.allowed.release()
    w.learning(heard)
    assert not w.runner.busy(silent) and silent.settled == 1 and w.runner.busy(heard)
    assert silent.left and not heard.left


def test_after_its_turn_a_long_run_lets_the_next_one_go_on(world: Callable[[int], World]) -> None:
    w = world(1)
    long, short = w.start("long"), w.start("short", until=1)
    w.learning(long)
    for run in (long, short):  # both pages are open
        w.runner.hear(run)
    w.now = TURN / 2
    w.runner.hear(long), w.runner.hear(short)
    long.let()
    assert w.runner.is_learning(long)
    w.now = TURN + 1
    w.runner.hear(long), w.runner.hear(short)
    long.allowed.release()
    w.learning(short)
    assert w.runner.ahead(long) == 1
    short.let()
    w.learning(long)
    alone = long.count
    w.now += 2 * TURN
    w.runner.hear(long)
    long.let(2)  # nobody waits: it need not stop
    assert long.count == alone + 2 and w.runner.is_learning(long)


def test_a_run_that_fails_says_why_and_ends_no_worker(world: Callable[[int], World]) -> None:
    w = world(1)

    class Broken(Stepping):
        def advance(self) -> None:
            raise ValueError("the loss is nan")

    broken = Broken("broken")
    w.runner.start(broken, 10, "broken")
    after = w.start("after", until=1)
    w.learning(after)
    after.let()
    w.learning()
    assert broken.failed == "the loss is nan" and not w.runner.busy(broken)
    w.runner.start(after, 2, "after")
    w.learning(after)
    assert after.failed == ""


def test_an_idle_worker_keeps_nobodys_weights(world: Callable[[int], World]) -> None:
    w = world(1)
    run = Stepping("one")
    w.runner.start(run, 1, "one")
    run.let()
    w.learning()
    gone = weakref.ref(run)
    del run
    w.start("next", until=1).let()
    w.learning()
    gc.collect()
    assert gone() is None


def test_a_server_that_stops_in_the_middle_of_a_run_ends_well() -> None:
    script = (
        "import time\n"
        "from attention_core.trained.plan import Plan\n"
        "from playground.live.run import Run\n"
        "from playground.live.runner import runner\n"
        "run = Run(Plan.of('induction'))\n"
        "runner().start(run, 4000, '')\n"
        "while run.done < 2: time.sleep(0.01)\n"
        "print('stops')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "stops\n"), done.stderr


# ---- one run


def trained_to(plan: Plan, step: int) -> dict[str, torch.Tensor]:
    training = plan.training()
    for _ in range(step):
        training.step()
    return {name: weight.detach() for name, weight in training.model.named_parameters()}


def test_what_a_worker_has_trained_is_what_anybody_would_have_trained() -> None:
    run = Run(SMALL)
    runner = Runner(1, here=lambda visitor: True)
    runner.start(run, 9, "somebody")
    with runner._change:
        assert runner._change.wait_for(lambda: not runner._learning and not runner._waiting, timeout=LONG)
    runner.close()
    assert run.failed == "" and run.done == 9
    assert run.steps() == (0, 2, 4, 6, 8, 9)  # every second step, and the one it stopped at
    for step in (0, 4, 9):
        for name, weight in trained_to(SMALL, step).items():
            torch.testing.assert_close(run.history.at(step)[1][name], weight, atol=1e-6, rtol=1e-5)
    moment, seen = run.seen(4)
    assert moment.step == 4 and seen.traces["self1"].shape("weights") == (1, 1, 10, 10)
    assert run.seen(5)[0].step == 4  # the nearest that is remembered


def test_a_file_of_the_newest_step_has_all_and_one_of_an_older_step_its_weights() -> None:
    from attention_core.trained.kept import from_bytes

    run = Run(SMALL)
    run.until = 6
    for _ in range(6):
        run.advance()
    plan, newest = from_bytes(run.file(6), "a.safetensors")
    assert plan == SMALL and newest.done == 6
    kept: Checkpoint = newest.checkpoint()
    assert kept.updates == 6 and kept.means
    further = SMALL.training()
    losses = [further.step() for _ in range(7)]
    assert newest.step() == pytest.approx(losses[-1], abs=1e-6)
    older = from_bytes(run.file(2), "a.safetensors")[1]
    assert older.done == 2 and not older.checkpoint().means
    for name, weight in trained_to(SMALL, 2).items():
        torch.testing.assert_close(older.model.state_dict()[name], weight, atol=1e-6, rtol=1e-5)
    loaded = Run(SMALL, newest)
    assert loaded.loaded and loaded.whole and loaded.begun_at == 7 and loaded.steps() == (7,)
    assert not Run(SMALL, older).whole


def test_memory_is_bounded() -> None:
    run = Run(SMALL, memory=1)
    assert isinstance(run.history, History)
    run.until = 400
    for _ in range(400):
        run.advance()
    assert len(run.steps()) <= SNAPSHOTS and run.history.bytes() <= 2**20 and len(run.moments()) == 201


def test_a_loss_that_is_no_number_ends_the_run_in_words() -> None:
    run = Run(replace(SMALL, rate=1.0, steps=400))
    with torch.no_grad():
        for weight in run._training.model.parameters():
            weight.mul_(1e30)
    with pytest.raises(ValueError, match=r"loss=.*learning rate is too high"):
        for _ in range(4):
            run.advance()


# ---- limits


@pytest.fixture
def fresh_limits() -> Iterator[None]:
    training_limits.cache_clear()
    yield
    training_limits.cache_clear()


def test_limits_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, fresh_limits: None) -> None:
    assert training_limits().max_trainings == (os.cpu_count() or 1)
    training_limits.cache_clear()
    monkeypatch.setenv("ATTENTION_MAX_TRAININGS", "7")
    monkeypatch.setenv("ATTENTION_MAX_TRAINING_WIDTH", "32")
    assert (training_limits().max_trainings, training_limits().max_training_width) == (7, 32)
    training_limits.cache_clear()
    monkeypatch.setenv("ATTENTION_MAX_TRAININGS", "none")
    with pytest.raises(ValueError, match="ATTENTION_MAX_TRAININGS='none'"):
        training_limits()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("heads", 16, "16 heads: this server trains with at most 8."),
        ("d_model", 256, "A width of 256: this server trains with at most 128."),
        ("steps", 4001, "4001 steps: this server trains for at most 4000."),
    ],
)
def test_a_plan_over_a_limit_is_refused(field: str, value: int, said: str) -> None:
    limits: Any = TrainingLimits()
    limits.check(SMALL)
    with pytest.raises(ValueError, match=said):
        limits.check(replace(SMALL, d_model=256, heads=8) if field == "d_model" else replace(SMALL, **{field: value}))
    assert limits_module.TrainingLimits is TrainingLimits

"""A class on one server: `python -m benchmarks.load [--sessions 1 10 30 60 100] [--seconds S] [--heavy] [--minutes M]`.

So many visitors, each a real websocket session (see `visitor.py`), look at 16 tokens in 8 heads on average. They have
come, and each has changed one thing, before the clock starts. Every 2 s each of them changes one thing, in turn: the
number of heads, the text (one that nobody has had before), the mask. The moments are spread at random from a seed. A
change counts from its message being sent until the last message of its result has come; then the weights are decoded
and held against what was asked for: tokens, heads, mask, sums of rows. The last picture of every visitor is compared,
value by value, with a computation of its own.

* --heavy: one visitor more, with 512 tokens in 12 heads, who comes and goes: the others' times with and without.
* --minutes: one class for so long, with visitors who leave and others who come; prints the memory as it goes. Before,
  one visitor with 128 tokens fills the server's cache of traces: what grows afterwards is no cache.

The server is a process of its own; the visitors share one process, and that shares the cores with the server: what it
took is in the table. `late` counts changes that came due while the one before was still under way: they are left out.
A CPU share of 1.0 is one core.

Aim: p95 under 150 ms with 60 sessions, on 2 quiet cores.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.picture import Asked
from benchmarks.process import cpu_seconds, memory
from benchmarks.students import PERIOD, TOKENS, Record, Student, assemble, compare, dismiss, sentence
from benchmarks.timing import header, machine, p50, p95, p99, row

SESSIONS = (1, 10, 30, 60, 100)


@dataclass
class Span:
    """Wall clock and processor time since it was made, for the server and for this process."""

    pid: int
    begin: float = field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        """Begin to count."""
        self._server, self._own = cpu_seconds(self.pid), cpu_seconds(os.getpid())

    def shares(self) -> tuple[float, float]:
        """Cores that the server took, and this process."""
        passed = time.perf_counter() - self.begin
        return (cpu_seconds(self.pid) - self._server) / passed, (cpu_seconds(os.getpid()) - self._own) / passed


def report(failures: Sequence[str]) -> None:
    """Say what went wrong, ten lines of it."""
    for line in failures[:10]:
        print(f"    {line}", flush=True)


async def classes(address: str, pid: int, sizes: Sequence[int], seconds: float, seed: int) -> None:
    """One row for each size of the class."""
    columns = ["sessions", "changes", "p50 ms", "p95 ms", "p99 ms", "late", "failures", "server CPU", "visitors' CPU"]
    print(header([*columns, "server MiB"]), flush=True)
    for size in sizes:
        students = await assemble(address, size, seed)
        record = Record()
        now = time.perf_counter()
        await asyncio.gather(*(student.attend(record, now, now + PERIOD) for student in students))  # to warm up
        record = Record()
        span = Span(pid)
        end = span.begin + seconds
        await asyncio.gather(*(student.attend(record, span.begin, end) for student in students))
        server, own = span.shares()
        record.failures += compare(students)
        taken = record.between(span.begin, end) or [float("nan")]
        times = [f"{what(taken):.0f}" for what in (p50, p95, p99)]
        cells = [size, len(taken), *times, record.late, len(record.failures), f"{server:.2f}", f"{own:.2f}"]
        print(row([*cells, f"{memory(pid):.0f}"]), flush=True)
        report(record.failures)
        await dismiss(students)


async def heavy(address: str, pid: int, sessions: int, seconds: float, seed: int) -> None:
    """The others' times while one visitor has 512 tokens in 12 heads, and while not, in turns."""
    others = await assemble(address, sessions - 1, seed)
    guest = Student(address, 10_000, seed)
    guest.asked = Asked(sentence(guest.chance, guest.name, 512), 12)
    await guest.arrive()
    record, his = Record(), Record()
    spans = []
    begin = time.perf_counter() + 1
    turns = max(2, 2 * round(seconds / 20))
    length = seconds / turns
    for turn in range(turns):
        spans.append((begin + turn * length, begin + (turn + 1) * length, turn % 2 == 1))
    with_him = [guest.attend(his, first, last) for first, last, there in spans if there]

    async def come_and_go() -> None:
        for visit in with_him:
            await visit

    work = (student.attend(record, begin, begin + seconds) for student in others)
    await asyncio.gather(*work, come_and_go())
    print(header(["512 tokens in 12 heads beside them", "changes", "p50 ms", "p95 ms", "p99 ms"]))
    p95s = []
    for there in (False, True):
        taken = [t for first, last, then in spans if then is there for t in record.between(first, last)]
        p95s.append(p95(taken))
        print(row(["yes" if there else "no", len(taken), *(f"{what(taken):.0f}" for what in (p50, p95, p99))]))
    own = [taken for _, taken in his.changes] or [float("nan")]
    failures = [*record.failures, *his.failures, *compare(others)]
    print(f"\np95 with / without: {p95s[1] / p95s[0]:.2f}; failures {len(failures)}; ", end="")
    print(f"his own changes: {len(own)}, p50 {p50(own):.0f} ms; server {memory(pid):.0f} MiB")
    report(failures)
    await dismiss([*others, guest])


async def endurance(address: str, pid: int, sessions: int, minutes: float, seed: int, every: float) -> None:
    """A long lesson with visitors who leave after about a minute; the memory as it goes."""
    print(header(["minute", "changes", "p50 ms", "p95 ms", "failures", "server CPU", "server MiB"]), flush=True)
    guest = Student(address, 10_000, seed)
    guest.asked = Asked(sentence(guest.chance, guest.name, 128), 12)
    await guest.arrive()
    for _ in range(90):  # some 4 MiB each
        await guest.change()
    await guest.leave()
    students = await assemble(address, sessions, seed)
    begin = time.perf_counter()
    end = begin + minutes * 60
    record = Record()
    work = asyncio.gather(*(student.attend(record, begin, end, stay=60) for student in students))
    first = begin
    held = []
    while first < end:
        span = Span(pid)
        last = min(end, first + every)
        await asyncio.sleep(max(0.0, last - time.perf_counter()))
        taken = record.between(first, last) or [float("nan")]
        held.append(memory(pid))
        cells = [f"{(last - begin) / 60:.1f}", len(taken), f"{p50(taken):.0f}", f"{p95(taken):.0f}"]
        cells += [len(record.failures), f"{span.shares()[0]:.2f}", f"{held[-1]:.0f}"]
        print(row(cells), flush=True)
        first = last
    await work
    report([*record.failures, *compare(students)])
    await dismiss(students)
    third = max(1, len(held) // 3)
    growth = sum(held[-third:]) / third - sum(held[-2 * third : -third]) / third
    most = memory(pid, "VmHWM")
    print(f"\nmean of the last third against the one before: {growth:+.0f} MiB; most ever {most:.0f} MiB")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, nargs="+", help="sizes of the class; with --heavy and --minutes one")
    parser.add_argument("--seconds", type=float, default=20, help="of each measurement")
    parser.add_argument("--heavy", action="store_true", help="one visitor more, with 512 tokens in 12 heads")
    parser.add_argument("--minutes", type=float, help="one class for so long, and its memory")
    parser.add_argument("--every", type=float, default=30, help="seconds between two lines with --minutes")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)

    from tests import serving  # brings a browser's driver with it: only now

    with serving.server() as served:
        time.sleep(5)  # the server warms up after it has begun to listen
        print(f"{machine()}; {TOKENS} tokens, a change every {PERIOD:.0f} s", end="; ")
        print(f"server at rest {memory(served.pid):.0f} MiB\n", flush=True)
        if chosen.minutes:
            size = (chosen.sessions or [60])[0]
            asyncio.run(endurance(served.address, served.pid, size, chosen.minutes, chosen.seed, chosen.every))
        elif chosen.heavy:
            size = (chosen.sessions or [60])[0]
            asyncio.run(heavy(served.address, served.pid, size, chosen.seconds, chosen.seed))
        else:
            sizes = chosen.sessions or SESSIONS
            asyncio.run(classes(served.address, served.pid, sizes, chosen.seconds, chosen.seed))


if __name__ == "__main__":
    main()

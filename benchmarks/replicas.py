"""Two replicas behind nginx, and one dies: `python -m benchmarks.replicas [--sessions 20] [--seconds 30]`.

The configuration is the one that is deployed, `deploy/nginx.conf`, with the addresses replaced by ports of the loopback
interface. The visitors of `benchmarks.load` come through nginx, each with the cookie that keeps it with one replica.
After a third of the time one replica is killed, after two thirds it is started again. Whose connection breaks does
what a browser does: asks again until somebody answers, opens a new connection, and says what its page shows. It counts
as lost if the picture is then not the one that was there before; a change that was under way is made again.

Where nginx is not installed it says so and ends.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.students import PERIOD, Record, Student, assemble, compare, dismiss
from benchmarks.timing import header, machine, p50, p95, row
from benchmarks.visitor import Failure
from tests import serving

CONFIGURATION = serving.ROOT / "deploy" / "nginx.conf"


@dataclass
class Breaks(Record):
    """What happened, broken connections included: milliseconds until each was whole again."""

    back: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    again: int = 0


def find_nginx() -> str | None:
    """The program, also where only an administrator's path has it."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/local/sbin:/usr/sbin:/sbin")


def configuration(port: int, replicas: Sequence[int], folder: Path) -> str:
    """What is deployed, on ports of the loopback address and with its files in `folder`."""
    text = CONFIGURATION.read_text(encoding="utf-8")
    changes = {"listen 8080;": f"listen 127.0.0.1:{port};", "/run/nginx.pid": str(folder / "nginx.pid")}
    changes |= {f"app-{number}:8501": f"127.0.0.1:{at}" for number, at in enumerate(replicas, 1)}
    changes["access_log off;"] = "access_log off;" + "".join(
        f" {name}_temp_path {folder / name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    for old, new in changes.items():
        if text.count(old) != 1:
            raise ValueError(f"{CONFIGURATION.name}: {old!r} is there {text.count(old)} times, not once")
        text = text.replace(old, new)
    return text


@contextlib.contextmanager
def proxy(program: str, replicas: Sequence[int]) -> Iterator[str]:
    """Run nginx before these replicas, and give its address."""
    port = serving.free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # its workers may be another user
        (folder / "nginx.conf").write_text(configuration(port, replicas, folder), encoding="utf-8")
        command = [program, "-e", "stderr", "-p", name, "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
        with (folder / "log").open("wb") as log:
            running = subprocess.Popen(command, stderr=log)
        try:
            address = f"http://127.0.0.1:{port}"
            end = time.monotonic() + 20
            while running.poll() is None and time.monotonic() < end:
                with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                    break
                time.sleep(0.05)
            else:
                raise RuntimeError(f"nginx did not start:\n{(folder / 'log').read_text(errors='replace')}")
            yield address
        finally:
            running.terminate()
            running.wait(10)


async def attend(student: Student, record: Breaks, begin: float, end: float) -> None:
    """Change something every `PERIOD`; come back whenever the connection breaks."""
    due = begin + student.chance.random() * PERIOD
    while due < end:
        assert student.visitor is not None
        before = student.asked
        try:
            if await student.visitor.broken_within(due - time.perf_counter()):
                await come_back(student, record)
                continue
            sent = time.perf_counter()
            record.changes.append((sent, await student.change()))
        except OSError:
            student.asked = before
            student.turn -= 1
            record.again += 1
            await come_back(student, record)
            continue
        except Failure as problem:
            record.failures.append(f"{student.name}: {problem}")
        due = max(due + PERIOD, time.perf_counter())


async def come_back(student: Student, record: Breaks) -> None:
    """Ask until somebody answers; the picture has to be the one that was there."""
    assert student.visitor is not None
    begin = time.perf_counter()
    while time.perf_counter() < begin + 60:
        try:
            await student.visitor.reconnect()
            student.look()
            record.back.append((time.perf_counter() - begin) * 1000)
            return
        except OSError:
            await asyncio.sleep(0.1)
        except Failure as problem:
            record.lost.append(f"{student.name}: {problem}")
            return
    record.lost.append(f"{student.name}: nobody answered for a minute")


def sessions(replica: serving.Server) -> int:
    """How many pages are open on a replica, from Streamlit's own statistics."""
    address = f"{replica.address}/_stcore/metrics?families=active_sessions"
    with urllib.request.urlopen(address, timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return round(sum(float(line.split()[-1]) for line in lines if line.startswith("active_sessions")))


async def lesson(address: str, replicas: Sequence[serving.Server], size: int, seconds: float, seed: int) -> int:
    """The three parts of a lesson; how many visitors lost what they saw."""
    students = await assemble(address, size, seed)
    shares = [sessions(replica) for replica in replicas]
    print(f"visitors on each replica: {shares[0]} and {shares[1]}\n", flush=True)
    record = Breaks()
    begin = time.perf_counter()
    marks = [begin + seconds * part / 3 for part in range(4)]

    async def accident() -> None:
        await asyncio.sleep(marks[1] - time.perf_counter())
        await asyncio.to_thread(replicas[0].kill)
        await asyncio.sleep(marks[2] - time.perf_counter())
        await asyncio.to_thread(replicas[0].start)

    await asyncio.gather(accident(), *(attend(student, record, begin, marks[3]) for student in students))
    print(header(["", "changes", "p50 ms", "p95 ms"]))
    for name, first, last in zip(("two replicas", "one killed", "started again"), marks, marks[1:], strict=False):
        taken = record.between(first, last) or [float("nan")]
        print(row([name, len(taken), f"{p50(taken):.0f}", f"{p95(taken):.0f}"]))
    back = record.back or [float("nan")]
    print(f"\nconnections broken: {len(record.back) + len(record.lost)}; back after p50 {p50(back):.0f} ms, ", end="")
    print(f"the last after {max(back):.0f} ms; changes made again: {record.again}")
    wrong = [*record.lost, *record.failures, *compare(students)]
    print(f"experiments lost: {len(record.lost)}; failures: {len(wrong) - len(record.lost)}")
    for line in wrong[:10]:
        print(f"    {line}")
    await dismiss(students)
    newcomers = await assemble(address, 10, seed + 1)
    print(f"of ten newcomers, on the replica that was started again: {sessions(replicas[0])}")
    await dismiss(newcomers)
    return len(wrong)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what happened."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    program = find_nginx()
    if program is None:
        print("nginx is not installed (Debian: apt-get install nginx): nothing was measured")
        return
    with serving.server() as first, serving.server() as second, proxy(program, (first.port, second.port)) as address:
        version = subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stderr.strip()
        print(f"{machine()}; {version}; {chosen.sessions} visitors, {chosen.seconds:.0f} s")
        wrong = asyncio.run(lesson(address, (first, second), chosen.sessions, chosen.seconds, chosen.seed))
    if wrong:
        raise SystemExit(1)


if __name__ == "__main__":
    main()

"""A search that is guided by coverage: `python -m tests.fuzz.guided [target ...] --seconds 60`.

Needs atheris (libFuzzer for Python; Linux): `pip install atheris`. Each target runs in a process of its own, as
libFuzzer ends the process at a finding, from the seeds beside this file; a finding is printed with its input.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def search(name: str, corpus: str, seconds: int) -> None:
    """Search one target until the time is over; libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=["attention_core", "attention_viz", "playground", "safetensors"]):
        from tests.fuzz.seeds import seeds
        from tests.fuzz.targets import TARGETS
    for number, content in enumerate(seeds()[name]):
        (Path(corpus) / f"seed{number}").write_bytes(content)
    limits = ["-rss_limit_mb=3000", "-timeout=20", "-max_len=20000", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], corpus, f"-max_total_time={seconds}", *limits], TARGETS[name])
    atheris.Fuzz()


def main() -> None:
    """Search the targets one after the other, and print a table of what was tried."""
    from tests.fuzz.targets import TARGETS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(TARGETS)}; all unless given")
    parser.add_argument("--seconds", type=int, default=60)
    chosen = parser.parse_args()
    print("| target | inputs tried | branches covered | seconds | findings |\n| --- | ---: | ---: | ---: | ---: |")
    failed = False
    for name in chosen.targets or TARGETS:
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as corpus:
            command = [sys.executable, "-m", "tests.fuzz.guided", "--one", name, corpus, str(chosen.seconds)]
            run = subprocess.run(command, capture_output=True, text=True, errors="replace")
        tried = re.findall(r"stat::number_of_executed_units:\s*(\d+)", run.stderr)
        covered = re.findall(r"cov: (\d+)", run.stderr)
        taken = time.monotonic() - started
        cells = (name, (tried or ["?"])[-1], (covered or ["?"])[-1], f"{taken:.0f}", int(run.returncode != 0))
        print(f"| {' | '.join(map(str, cells))} |", flush=True)
        if run.returncode != 0:
            failed = True
            print(run.stderr[-3000:], file=sys.stderr)
    sys.exit(failed)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        search(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main()

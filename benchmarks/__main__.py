"""The command line: `python -m benchmarks --peers kafka,ottla --only produce,fetch`."""

import argparse
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from benchmarks import (
    codec,
    committed_offsets,
    end_to_end,
    group_join,
    group_requests,
    heartbeats,
    idle_connections,
    many_partitions,
    metadata_requests,
    perf_tools,
    raw_fetch,
    raw_produce,
    read_committed,
    recovery,
    report,
    small_requests,
    startup,
    transactional_ids,
    transactional_produce,
    transactions,
)
from benchmarks.failure import Failed, Skipped
from benchmarks.load import Load
from benchmarks.peers import Peer
from benchmarks.peers.kafka import Kafka
from benchmarks.peers.ottla import Ottla
from benchmarks.runner import Row, Runner
from benchmarks.toolchain import CACHE, go_program
from benchmarks.workload import Workload

WORKLOADS: tuple[Workload[Any], ...] = tuple(
    module.WORKLOAD
    for module in (
        raw_produce,
        raw_fetch,
        small_requests,
        metadata_requests,
        end_to_end,
        perf_tools,
        many_partitions,
        idle_connections,
        group_join,
        heartbeats,
        group_requests,
        committed_offsets,
        transactions,
        transactional_produce,
        read_committed,
        transactional_ids,
        startup,
        recovery,
        codec,
    )
)
PEERS: dict[str, type[Kafka] | type[Ottla]] = {"kafka": Kafka, "ottla": Ottla}


def chosen(words: str) -> list[Workload[Any]]:
    """The workloads whose names hold one of the comma-separated words, in the order of the table."""
    wanted = [word for word in words.split(",") if word]
    for word in wanted:
        if not any(word in workload.name for workload in WORKLOADS):
            names = " ".join(workload.name for workload in WORKLOADS)
            raise SystemExit(f"benchmarks: no workload is called {word!r}; there are {names}")
    return [w for w in WORKLOADS if not wanted or any(word in w.name for word in wanted)]


def with_cases(workloads: Sequence[Workload[Any]], words: str) -> list[Workload[Any]]:
    """Of the workloads only the cases whose names hold these words."""
    found = [replace(w, cases=tuple(case for case in w.cases if words in case.name)) for w in workloads]
    if not any(w.cases for w in found):
        raise SystemExit(f"benchmarks: no case of these workloads has {words!r} in its name")
    return [w for w in found if w.cases]


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Ottla beside its peers, in one run.")
    add = parser.add_argument
    add("--peers", help="comma-separated: kafka, ottla (default: both; with --smoke ottla alone)")
    add("--only", default="", help="comma-separated words of workload names, for instance produce,fetch")
    add("--case", default="", help="words in the names of cases, for instance 'new protocol'")
    add("--reps", type=int, help="repetitions of each case (default: 3; with --smoke 1)")
    add("--smoke", action="store_true", help="every workload tiny: does it run at all?")
    add("--set", action="append", default=[], metavar="K=V", dest="settings", help="a broker setting, for all peers")
    add("--scratch", type=Path, help="directory for data (default: the system's temporary directory)")
    add("--json", type=Path, default=CACHE / "benchmarks" / "last.json", help="where figures go (default: %(default)s)")
    add("--write-readme", action="store_true", help="put the table into benchmarks/README.md")
    add("--list", action="store_true", help="list the workloads and end")
    return parser.parse_args(argv)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    """SIGTERM unwinds like Ctrl-C, so that brokers are ended."""
    raise KeyboardInterrupt


def main(argv: Sequence[str]) -> int:
    """0 when every row has figures or a reason to be skipped, 1 when one failed."""
    options = arguments(argv)
    workloads = with_cases(chosen(options.only), options.case)
    if options.list:
        for workload in WORKLOADS:
            print(f"{workload.name:21} {workload.title}")
        return 0
    signal.signal(signal.SIGTERM, terminated)
    settings = dict(word.partition("=")[::2] for word in options.settings)
    peers: list[Peer] = []
    for name in (options.peers or ("ottla" if options.smoke else "kafka,ottla")).split(","):
        if name not in PEERS:
            raise SystemExit(f"benchmarks: no peer is called {name!r}; there are {' '.join(PEERS)}")
        peers.append(PEERS[name](settings))
    repetitions = options.reps or (1 if options.smoke else 3)
    rows: list[Row] = []
    try:
        versions = {peer.name: peer.prepare() for peer in peers}
        program = go_program(Path(__file__).with_name("loadgen"), "loadgen")
        with tempfile.TemporaryDirectory(prefix="ottla-benchmarks-", dir=options.scratch) as scratch:
            load = Load(program, Path(scratch))
            runner = Runner(peers, load, Path(scratch), repetitions=repetitions, smoke=options.smoke, progress=say)
            for measured in runner.run(workloads):
                rows += measured
                for row in measured:
                    if why := row.failed or row.skipped:
                        say(f"  {row.peer}: {'FAILS' if row.failed else 'skipped'}: {why}")
    except (Failed, Skipped) as why:
        say(f"benchmarks: {why}")
        return 1
    except KeyboardInterrupt:
        say("benchmarks: interrupted; the rows so far:")
    run = report.Run(
        command=shlex.join(["python", "-m", "benchmarks", *argv]),
        when=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        repetitions=repetitions,
        smoke=options.smoke,
        machine=report.machine(),
        versions=versions,
        rows=rows,
    )
    text = report.document(run, WORKLOADS)
    report.save(run, options.json)
    if options.write_readme:
        report.write_readme(text)
    print(text)
    return 1 if any(row.failed for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

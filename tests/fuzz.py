"""Runs every fuzz target for a while: `python -m tests.fuzz --seconds 20`.

The targets are in rust/fuzz, one per parser of outside bytes. They are built once, with the coverage counters that
libFuzzer steers by and without a sanitizer, which is what the stable Rust toolchain and a C++ compiler can do. Each
starts from bytes that Kafka's own classes wrote (tests/golden), and goes on from what earlier runs have found
(rust/fuzz/target/corpus).

First of all a planted bug must be found: who does not find that would not find another.

Exit code: 0 when nothing was found, 1 when something was (the input is kept, and how to try it again is printed), 2
when the targets could not be built or do not search.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
CRATE: Final = ROOT / "rust" / "fuzz"
TARGET_DIR: Final = CRATE / "target"
GOLDEN: Final = ROOT / "tests" / "golden"

PLANTED: Final = "planted"
"""The target whose bug must be found."""

FLAGS: Final = (
    "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
    " -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
    " -Cllvm-args=-sanitizer-coverage-trace-compares"
)
"""What `cargo fuzz` passes with `--sanitizer none`: all of it works without nightly."""

INPUT_BYTES_MAX: Final = 4096
"""Longer inputs make the search slower and find no more: a limit of a parser is met by a claim of a few bytes."""

SEED_BYTES_MAX: Final = 2304
"""Nor do longer seeds help: most that is compressed to more than this unpacks to so much that the search crawls."""

INPUT_SECONDS_MAX: Final = 10
"""An input of 4 KiB that takes longer than this is a bug."""

CODECS: Final = ("none", "gzip", "snappy", "lz4", "zstd")
BATCH_HEADER_BYTES: Final = 61

REQUEST_TARGETS: Final = {
    "ProduceRequest": "produce_request",
    "FetchRequest": "fetch_request",
    "ListOffsetsRequest": "list_offsets_request",
    "MetadataRequest": "metadata_request",
    "OffsetCommitRequest": "offset_commit_request",
    "OffsetFetchRequest": "offset_fetch_request",
    "FindCoordinatorRequest": "find_coordinator_request",
    "ApiVersionsRequest": "api_versions_request",
    "OffsetForLeaderEpochRequest": "offset_for_leader_epoch_request",
}
RESPONSE_KEYS: Final = {
    "ProduceResponse": 0,
    "FetchResponse": 1,
    "ListOffsetsResponse": 2,
    "MetadataResponse": 3,
    "OffsetCommitResponse": 8,
    "OffsetFetchResponse": 9,
    "FindCoordinatorResponse": 10,
    "ApiVersionsResponse": 18,
    "OffsetForLeaderEpochResponse": 23,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the run of one target went."""

    target: str
    executions: int
    coverage: int
    peak_rss_mb: int
    found: str | None
    """What libFuzzer said last before it stopped with an error, or none."""


def message_seeds() -> Iterator[tuple[str, str, bytes]]:
    """Target, name and bytes of each golden message."""
    for line in (GOLDEN / "dataplane" / "messages.txt").read_text().splitlines():
        message, version, kind, text = line.split(" ")
        frame, name = bytes.fromhex(text), f"{message}-{version}-{kind}"
        if len(frame) > SEED_BYTES_MAX:
            continue
        if message in REQUEST_TARGETS:
            yield REQUEST_TARGETS[message], name, frame
            yield "request_header", name, frame
        else:
            yield "response", name, RESPONSE_KEYS[message].to_bytes(2) + int(version).to_bytes(2) + frame


def log_directory(batches: Sequence[bytes], choice: int) -> bytes:
    """An input of the target of that name: these batches in a row, two entries of each index, two epochs."""
    segment, offset, last = b"", 0, 0
    for batch in batches:
        last = len(segment)
        segment += offset.to_bytes(8) + batch[8:]
        offset += int.from_bytes(batch[23:27]) + 1
    files = (
        segment,
        b"".join(value.to_bytes(4) for value in (0, 0, offset // 2, last)),
        b"".join(
            time.to_bytes(8) + relative.to_bytes(4) for time, relative in ((1, 0), (1_700_000_000_000, offset // 2))
        ),
        (0).to_bytes(2) + b"".join(value.to_bytes(8) for value in (9, 0, offset // 2, offset // 2)),
        b"",
        f"0\n2\n0 0\n1 {offset // 2}\n".encode(),
        b"version: 0\ntopic_id: AQIDBAUGBwgJCgsMDQ4PEA\n",
    )
    return bytes([choice]) + b"".join(len(content).to_bytes(2) + content for content in files)


def file_seeds() -> Iterator[tuple[str, str, bytes]]:
    """Target, name and bytes of small inputs that need no golden twin."""
    yield "checkpoint", "offsets", b"0\n2\norders 0 17\nname-with-dash 12 9223372036854775807\n"
    yield "checkpoint", "epochs", b"0\n3\n0 0\n4 100\n5 2000\n"
    yield "checkpoint", "segment", b"00000000000000000042.timeindex"
    yield "checkpoint", "partition", b"orders-3"
    yield "checkpoint", "deleted", b"orders-3.0123456789abcdef0123456789abcdef-delete"
    yield "log_directory", "empty", log_directory([], choice=2)
    key = b"\0\1\0\1g\0\1t" + bytes(4)
    newest = b"\0\4" + bytes(12) + b"\2m" + bytes(8) + b"\1\0\x10" + bytes(range(16))
    for name, value in (("newest", newest), ("with-expiry", b"\0\1" + bytes(8) + b"\0\1m" + bytes(16))):
        yield "offset_record", name, bytes([len(key)]) + key + value


def batch_seeds() -> Iterator[tuple[str, str, bytes]]:
    """Target, name and bytes of each golden batch and snapshot."""
    for path in sorted((GOLDEN / "batches").glob("*.bin")):
        batch = path.read_bytes()
        if len(batch) > SEED_BYTES_MAX:
            continue
        codec, count, records = batch[22] & 7, batch[BATCH_HEADER_BYTES - 1], batch[BATCH_HEADER_BYTES:]
        yield "log_directory", path.stem, log_directory([batch] * 2, choice=0)
        # The first byte chooses the rules: 7 stores as sent, 0 without compression.
        yield "batch", f"{path.stem}-as-sent", b"\x07" + batch
        yield "batch", f"{path.stem}-plain", b"\x00" + batch
        if codec == 0:
            yield "records", path.stem, bytes([count]) + records
        else:
            yield f"decompress_{CODECS[codec]}", path.stem, records
    for path in sorted((GOLDEN / "batches").glob("*.snapshot")):
        yield "producer_snapshot", path.stem, path.read_bytes()


def plant_seeds(targets: Sequence[str]) -> None:
    """Writes the seeds of all targets anew."""
    seeds = TARGET_DIR / "seeds"
    shutil.rmtree(seeds, ignore_errors=True)
    for target in targets:
        (seeds / target).mkdir(parents=True)
    for target, name, content in (*message_seeds(), *batch_seeds(), *file_seeds()):
        if target in targets:
            (seeds / target / name).write_bytes(content)


def all_targets() -> list[str]:
    """The targets that the crate declares, but for the planted one."""
    manifest = tomllib.loads((CRATE / "Cargo.toml").read_text())
    return sorted(binary["name"] for binary in manifest["bin"] if binary["name"] != PLANTED)


def build(targets: Sequence[str]) -> Path:
    """Builds the targets; the folder that they are in. Takes minutes the first time."""
    version = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout
    host = re.search(r"^host: (.+)$", version, re.MULTILINE)
    if host is None:
        raise SystemExit(f"rustc does not say what it compiles for: {version}")
    # With a target named, build scripts and macros are built without the counters.
    command = ["cargo", "build", "--locked", "--release", "--target", host[1]]
    command += [f"--bin={target}" for target in (PLANTED, *targets)]
    environment = os.environ | {"RUSTFLAGS": FLAGS, "CARGO_TARGET_DIR": str(TARGET_DIR)}
    subprocess.run(command, cwd=CRATE, env=environment, check=True)
    return TARGET_DIR / host[1] / "release"


def number(pattern: str, output: str) -> int:
    """The last number that the pattern finds, or 0."""
    found = re.findall(pattern, output)
    return int(found[-1]) if found else 0


def run(binaries: Path, target: str, seconds: int, rss_mb: int) -> Outcome:
    """Runs one target. It may take `rss_mb` of memory, and a minute beyond its time for the seeds."""
    corpus, artifacts = TARGET_DIR / "corpus" / target, TARGET_DIR / "artifacts" / target
    if target == PLANTED:
        shutil.rmtree(corpus, ignore_errors=True)
    corpus.mkdir(parents=True, exist_ok=True)
    artifacts.mkdir(parents=True, exist_ok=True)
    seeds = TARGET_DIR / "seeds" / target
    command = [
        str(binaries / target),
        f"-max_total_time={seconds}",
        f"-rss_limit_mb={rss_mb}",
        f"-max_len={INPUT_BYTES_MAX}",
        f"-timeout={INPUT_SECONDS_MAX}",
        f"-artifact_prefix={artifacts}/",
        "-print_final_stats=1",
        str(corpus),
        *([str(seeds)] if seeds.is_dir() else []),
    ]
    try:
        done = subprocess.run(command, capture_output=True, timeout=seconds + 60, check=False)
        output, code = done.stderr.decode(errors="replace"), done.returncode
    except subprocess.TimeoutExpired as expired:
        output, code = (expired.stderr or b"").decode(errors="replace"), -1
        output += f"\nit did not stop {60} s after its time\n"
    return Outcome(
        target=target,
        executions=number(r"stat::number_of_executed_units: (\d+)", output) or number(r"^#(\d+)", output),
        coverage=number(r"cov: (\d+)", output),
        peak_rss_mb=number(r"stat::peak_rss_mb: +(\d+)", output),
        found=output[-4000:] if code != 0 else None,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; gives the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description="Runs the fuzz targets, one on each core."
    )
    parser.add_argument("--seconds", type=int, default=20, help="time for each target (default %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="targets at a time (default %(default)s)")
    parser.add_argument("--target", action="append", help="run this target alone; may be repeated")
    parser.add_argument("--rss-mb", type=int, default=512, help="memory for each target (default %(default)s MiB)")
    chosen = parser.parse_args(arguments)
    targets: list[str] = chosen.target or all_targets()
    if unknown := set(targets) - set(all_targets()):
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(all_targets())}")
    try:
        binaries = build(targets)
    except (OSError, subprocess.CalledProcessError) as fault:
        print(f"the fuzz targets cannot be built: {fault}", file=sys.stderr)
        return 2
    plant_seeds(targets)
    planted = run(binaries, PLANTED, 60, chosen.rss_mb)
    if planted.found is None or "found" not in planted.found:
        print(f"the planted bug was not found in {planted.executions:,} executions", file=sys.stderr)
        return 2
    print(f"{'target':34}{'executions':>14}{'coverage':>10}{'rss MiB':>9}  outcome")
    outcomes = []
    with ThreadPoolExecutor(chosen.jobs) as jobs:
        for outcome in jobs.map(lambda target: run(binaries, target, chosen.seconds, chosen.rss_mb), targets):
            outcomes.append(outcome)
            word = "nothing found" if outcome.found is None else "FOUND SOMETHING"
            columns = f"{outcome.executions:>14,}{outcome.coverage:>10,}{outcome.peak_rss_mb:>9,}"
            print(f"{outcome.target:34}{columns}  {word}", flush=True)
    for outcome in outcomes:
        if outcome.found is not None:
            print(f"\n{outcome.target}\n{outcome.found}", file=sys.stderr)
            print(f"again: {binaries / outcome.target} <the file named above>", file=sys.stderr)
    idle = [outcome.target for outcome in outcomes if outcome.found is None and outcome.executions == 0]
    if idle:
        print(f"never executed: {', '.join(idle)}", file=sys.stderr)
        return 2
    return 1 if any(outcome.found is not None for outcome in outcomes) else 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Run a broker: on its own data directory, until SIGTERM or Ctrl-C.

Without --config it serves on an embedded default: one node, PLAINTEXT on 127.0.0.1:9092, data in ./data. An empty
directory is formatted. Port 0 lets the system choose; the port is said on standard output, in the ready file, and to
clients.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ottla.cli.errors import CommandError, UsageError
from ottla.server.logs import logger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from structlog.typing import FilteringBoundLogger
    from trio import TaskStatus

    from ottla.config.load import Loaded
    from ottla.server.main import Server, Started

COLLECTION_THRESHOLDS: Final = (10_000, 20, 50)
"""Of Python's garbage collector. With its own, a thousand members that join make it look through everything several
times, some 30 ms each, while they wait."""
STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="a Kafka server.properties")
    parser.add_argument(
        "--listen",
        action="append",
        default=[],
        metavar="NAME://HOST:PORT",
        help="listen here instead of where the configuration says; may be repeated",
    )
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="where logs and metadata are kept (log.dirs)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="assignments", help="override one setting"
    )
    parser.add_argument("--ready-file", type=Path, metavar="FILE", help="written as JSON once clients may connect")
    parser.add_argument("--log-format", choices=["text", "json"], default="text", help="how log lines look")


def run(args: argparse.Namespace) -> int:
    """Blocking, on the main thread: signals arrive there. Raises `CommandError`."""
    with _asked_to_stop_early(), _collection_later():
        loaded = _load(args)
        log = logger(args.log_format, sys.stderr, node=loaded.config.node_id)
        for warning in loaded.warnings:
            log.warning(warning)
        _raise_descriptor_limit()
        return _serve(loaded, log, args.ready_file)


@contextlib.contextmanager
def _asked_to_stop_early() -> Iterator[None]:
    """A signal that comes before the broker listens for signals ends the process as one that comes later: with 0."""

    def end(*_: object) -> None:
        raise SystemExit(0)

    before = {number: signal.signal(number, end) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _collection_later() -> Iterator[None]:
    """Nothing that a start makes is garbage: it is not looked through until the broker serves, nor ever after."""
    before = gc.get_threshold()
    gc.disable()
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
        gc.enable()


def _load(args: argparse.Namespace) -> Loaded:
    from ottla.config.definition import ConfigError
    from ottla.config.load import load
    from ottla.config.properties import Setting

    settings = []
    if args.listen:
        settings.append(Setting("listeners", ",".join(args.listen), "--listen"))
    if args.data_dir is not None:
        settings.append(Setting("log.dirs", str(args.data_dir), "--data-dir"))
    try:
        return load(args.config, args.assignments, settings)
    except ConfigError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise UsageError(f"cannot read {args.config}: {error.strerror}") from error


def _serve(loaded: Loaded, log: FilteringBoundLogger, ready_file: Path | None) -> int:
    import trio

    from ottla.config.definition import ConfigError
    from ottla.server.main import Server, in_words

    server = Server(loaded, log)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(_stop_on_signal, server)
            await server.serve(lambda started: _announce(started, ready_file))
            nursery.cancel_scope.cancel()

    try:
        trio.run(main, strict_exception_groups=True)
    except* ConfigError as group:
        raise UsageError(in_words(group)) from group
    except* Exception as group:
        raise CommandError(in_words(group)) from group
    finally:
        if ready_file is not None:
            ready_file.unlink(missing_ok=True)
    return 0


async def _stop_on_signal(server: Server, task_status: TaskStatus[None]) -> None:
    import trio

    with trio.open_signal_receiver(*STOP_SIGNALS) as signals:
        task_status.started()
        async for _ in signals:
            server.stop()


def _announce(started: Started, ready_file: Path | None) -> None:
    if ready_file is not None:
        content = {
            "bootstrap_servers": started.bootstrap_servers,
            "cluster_id": started.cluster_id,
            "node_id": started.node_id,
            "data_dir": str(started.data_dir),
            "pid": os.getpid(),
        }
        # Whoever waits for the file must never read half of it.
        temporary = ready_file.with_name(f"{ready_file.name}.{os.getpid()}.tmp")
        temporary.write_text(json.dumps(content) + "\n")
        temporary.replace(ready_file)
    where = ", ".join(f"{name}://{_bracketed(host)}:{port}" for name, host, port in started.listeners)
    new = ", new" if started.formatted else ""
    recovered = f", {started.recovered_bytes:,} bytes checked" if started.recovered_bytes else ""
    sys.stdout.write(
        f"ottla serves {where} · cluster {started.cluster_id}{new} · {started.partitions} partitions{recovered} · "
        f"data in {started.data_dir} · ready in {started.duration_ms} ms\n"
    )
    sys.stdout.flush()
    gc.freeze()
    gc.set_threshold(*COLLECTION_THRESHOLDS)
    gc.enable()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _raise_descriptor_limit() -> None:
    """Each partition and each connection holds a descriptor: take what the system grants this process."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

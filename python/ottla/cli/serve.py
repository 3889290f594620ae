"""Run a broker: on its own data directory, until SIGTERM or Ctrl-C.

Without --config it serves on an embedded default: one node, PLAINTEXT on 127.0.0.1:9092, data in ./data. An empty
directory is formatted. Port 0 lets the system choose; the port is said on standard output, in the ready file, and to
clients.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ottla.cli.errors import CommandError

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from ottla.config.load import Loaded
    from ottla.server.main import Server, Started


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
    loaded = _load(args)
    log = _logger(args.log_format, loaded)
    for warning in loaded.warnings:
        log.warning(warning)
    _raise_descriptor_limit()
    return _serve(loaded, log, args.ready_file)


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
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(f"cannot read {args.config}: {error.strerror}") from error


def _logger(style: str, loaded: Loaded) -> FilteringBoundLogger:
    """A logger of this process, bound to this broker; nothing global is configured."""
    import logging

    import structlog

    from ottla.server.logs import processors

    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=processors(style, colors=sys.stderr.isatty()),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        node=loaded.config.node_id,
    )
    return logger


def _serve(loaded: Loaded, log: FilteringBoundLogger, ready_file: Path | None) -> int:
    import trio

    from ottla.server.main import Server, in_words

    server = Server(loaded, log)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_stop_on_signal, server)
            await server.serve(lambda started: _announce(started, ready_file))
            nursery.cancel_scope.cancel()

    try:
        trio.run(main, strict_exception_groups=True)
    except* Exception as group:
        raise CommandError(in_words(group)) from group
    finally:
        if ready_file is not None:
            ready_file.unlink(missing_ok=True)
    return 0


async def _stop_on_signal(server: Server) -> None:
    import trio

    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            server.stop()


def _announce(started: Started, ready_file: Path | None) -> None:
    where = ", ".join(f"{name}://{_bracketed(host)}:{port}" for name, host, port in started.listeners)
    new = ", new" if started.formatted else ""
    recovered = f", {started.recovered_bytes:,} bytes checked" if started.recovered_bytes else ""
    sys.stdout.write(
        f"ottla serves {where} · cluster {started.cluster_id}{new} · {started.partitions} partitions{recovered} · "
        f"data in {started.data_dir} · ready in {started.duration_ms} ms\n"
    )
    sys.stdout.flush()
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


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _raise_descriptor_limit() -> None:
    """Each partition and each connection holds a descriptor: take what the system grants this process."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

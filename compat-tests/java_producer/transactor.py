"""A transactional producer with Kafka's own, of its Java clients: those of 4.4, which leave it to the broker to add
partitions (KIP-890), and those of 3.9 and 2.8, which do it themselves. One Java machine for each version."""

import atexit
import functools
from pathlib import Path

from benchmarks.peers import kafka
from benchmarks.toolchain import jars

from compat_support.java import start
from compat_support.lines import Lines
from compat_support.transactions import RemoteTransactor, Transactor

HERE = Path(__file__).parent


def open_transactor(bootstrap: str, transactional_id: str, timeout_ms: int, version: str) -> Transactor:
    settings: dict[str, str | int] = {"bootstrap.servers": bootstrap, "transaction.timeout.ms": timeout_ms}
    return RemoteTransactor(Lines.of_port(port(version)), transactional_id, settings)


@functools.cache
def port(version: str) -> int:
    """Where the Java machine listens; it ends with this process. Raises Skipped without a JDK or Maven."""
    name = f"clients-{version}"
    libraries = kafka.server_jars() if version == "4.4" else jars(HERE / name / "pom.xml", f"kafka-{name}")
    process = start(HERE / "Transactors.java", libraries)
    assert process.stdout is not None
    atexit.register(process.kill)
    return int(process.stdout.readline())

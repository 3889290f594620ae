"""`pytest compat-tests [--broker ottla|kafka] [--bootstrap HOST:PORT]`: clients from outside against one broker.

With `-n 2` two processes share the tests, each with a broker of its own.
"""

import gc
import itertools
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]  # the peers of benchmarks/, and compat_support

from benchmarks.failure import Skipped  # noqa: E402
from benchmarks.peers import Broker, Peer, kafka  # noqa: E402
from benchmarks.peers.kafka import Kafka  # noqa: E402
from benchmarks.peers.ottla import Ottla  # noqa: E402

from compat_support.client import Client, Patient, connect  # noqa: E402
from compat_support.java import start  # noqa: E402
from compat_support.matrix import Matrix  # noqa: E402

SETTINGS = {
    "group.consumer.heartbeat.interval.ms": "300",
    "group.consumer.min.heartbeat.interval.ms": "300",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
}
"""Members of the new protocol hear of each other that soon, instead of every five seconds, and transactions that take
too long are seen to that soon, instead of every ten: three quarters of the time would be waiting. All else is as the
broker has it by itself."""
_SERIAL = itertools.count(1)
MATRIX = pytest.StashKey[Matrix]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("compatibility")
    group.addoption("--broker", choices=["ottla", "kafka"], default="ottla", help="which broker is started, or runs")
    group.addoption("--record", action="store_true", help="write transcripts anew; they are Apache Kafka's")
    group.addoption("--bootstrap", metavar="HOST:PORT", help="a broker that runs already")


class _Reports:
    """Hears of every report in the process that prints: also of those that other processes send."""

    def __init__(self, matrix: Matrix) -> None:
        self._matrix = matrix

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._matrix.seen(report)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[MATRIX] = matrix = Matrix()
    config.pluginmanager.register(_Reports(matrix))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """kafka-python loses sockets while a broker is away. That is its own; found after the last test, it fails the run,
    in which outside libraries may warn only during a test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    ours = [item for item in items if HERE in item.path.parents]
    for item in ours:
        item.add_marker(pytest.mark.filterwarnings("ignore"))  # what outside libraries warn of is theirs
    Matrix.marked(ours)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if text := config.stash[MATRIX].text():
        which = config.getoption("--bootstrap") or config.getoption("--broker")
        terminalreporter.section(f"clients and tools against {which}")
        terminalreporter.write_line(text)


@pytest.fixture(scope="session")
def peer(request: pytest.FixtureRequest) -> Peer:
    """The kind of broker under test."""
    chosen = peer_with(request.config, {})
    try:
        chosen.prepare()
    except Skipped as why:
        pytest.exit(f"no broker to test: {why}", returncode=2)
    return chosen


def peer_with(config: pytest.Config, settings: Mapping[str, str]) -> Peer:
    return (Kafka if config.getoption("--broker") == "kafka" else Ottla)({**SETTINGS, **settings})


@pytest.fixture(scope="session")
def bootstrap(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """host:port of the broker all tests share."""
    if given := request.config.getoption("--bootstrap"):
        yield given
        return
    peer: Peer = request.getfixturevalue("peer")
    broker: Broker = peer.create(tmp_path_factory.mktemp("broker") / peer.name)
    try:
        broker.start()
        yield broker.bootstrap
    finally:
        status = broker.stop()
    assert status in (0, 143), f"the broker ended with {status} on SIGTERM"  # 143: how a JVM ends


@pytest.fixture
def settings() -> Mapping[str, str]:
    """What else a broker of the test's own is to have; for test files to override."""
    return {}


@pytest.fixture
def broker(peer: Peer, settings: Mapping[str, str], pytestconfig: pytest.Config, tmp_path: Path) -> Iterator[Broker]:
    """One of the test's own, empty: to be killed, or to be asked for everything there is."""
    found = peer_with(pytestconfig, settings).create(tmp_path / peer.name)
    try:
        found.start()
        yield found
    finally:
        found.stop()


@pytest.fixture(scope="session")
def tools() -> Iterator["subprocess.Popen[str]"]:
    """A Java machine for Kafka's tools, one after the other."""
    try:
        process = start(HERE / "java_tools" / "Tools.java", kafka.tool_jars())
    except Skipped as why:
        pytest.skip(str(why))
    with process:
        yield process
        process.kill()


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """A name that no other test uses, of no other process either; no topic has it yet."""
    worker = getattr(request.config, "workerinput", {}).get("workerid", "")
    return f"compat-{worker}{next(_SERIAL)}"


@pytest.fixture
def client(client_name: str, bootstrap: str, pytestconfig: pytest.Config) -> Client:
    """One client, new. Ottla's topics must be usable the moment they are created; Kafka's may take their time."""
    try:
        found = connect(client_name, bootstrap)
    except Skipped as why:
        pytest.skip(str(why))
    return found if pytestconfig.getoption("--broker") == "ottla" else Patient(found)

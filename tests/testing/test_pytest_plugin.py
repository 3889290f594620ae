"""The fixtures, in a pytest of their own."""

from __future__ import annotations

import subprocess
import sys

import pytest

# A pytest inside this one forgets what was imported in it, and would import the broker anew each time.
import ottla.server.main
import ottla.testing.broker  # noqa: F401

CONFTEST = """
from ottla.testing import pytest_plugin

def pytest_configure(config):
    if not config.pluginmanager.is_registered(pytest_plugin):
        config.pluginmanager.register(pytest_plugin, "ottla")
"""


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Without the plugin of hypothesis, which takes seconds to be imported anew."""
    return pytester.runpytest_inprocess("-p", "no:hypothesispytest", *arguments)


@pytest.fixture
def outer(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest(CONFTEST)
    return pytester


def test_a_broker_for_each_test_and_one_for_all(outer: pytest.Pytester) -> None:
    outer.makepyfile(
        """
        seen = []

        def test_one(kafka_broker, kafka_broker_session):
            seen.append((kafka_broker, kafka_broker_session))
            assert kafka_broker.is_running and kafka_broker_session.is_running
            assert kafka_broker.bootstrap_servers != kafka_broker_session.bootstrap_servers

        def test_two(kafka_broker, kafka_broker_session):
            (own, shared), = seen
            assert not own.is_running
            assert kafka_broker is not own
            assert kafka_broker_session is shared
        """
    )
    run(outer, "-W", "error").assert_outcomes(passed=2)


def test_topics_are_usable_at_once_and_unique(outer: pytest.Pytester) -> None:
    outer.makepyfile(
        """
        import pytest
        from ottla.wire.k03_metadata import MetadataRequest
        from tests.support.raw import Connection

        def topics(broker):
            with Connection(broker.bootstrap_servers) as connection:
                return {t.name: len(t.partitions) for t in connection.ask(MetadataRequest(topics=None), 12).topics}

        @pytest.mark.parametrize("what", ["a b/c", "d" * 300])
        def test_names(kafka_topic, kafka_broker_session, what):
            names = [kafka_topic(), kafka_topic(partitions=3)]
            assert topics(kafka_broker_session) == dict(zip(names, [1, 3]))
            assert all(name.startswith("test-names-") for name in names)

        def test_gone_after_the_test(kafka_broker_session):
            assert topics(kafka_broker_session) == {}

        def test_on_another_broker(kafka_topic, kafka_broker):
            name = kafka_topic(broker=kafka_broker, config={"cleanup.policy": "compact"})
            assert topics(kafka_broker) == {name: 1}
            kafka_broker.stop()

        def test_deleted_by_the_test(kafka_topic, kafka_broker_session):
            kafka_broker_session.delete_topic(kafka_topic())
        """
    )
    run(outer, "-W", "error").assert_outcomes(passed=5)


def test_settings_come_from_a_conftest(outer: pytest.Pytester) -> None:
    outer.makeconftest(
        CONFTEST
        + """
import pytest

@pytest.fixture(scope="session")
def kafka_broker_config():
    return {"num.partitions": 7}
"""
    )
    outer.makepyfile(
        """
        def test_settings(kafka_broker):
            kafka_broker.create_topic("orders")
            assert len(list(kafka_broker.data_dir.glob("orders-*"))) == 7
        """
    )
    run(outer).assert_outcomes(passed=1)


def test_a_broker_that_cannot_start_fails_the_test_with_its_words(outer: pytest.Pytester) -> None:
    outer.makeconftest(
        CONFTEST
        + """
import pytest

@pytest.fixture(scope="session")
def kafka_broker_config():
    return {"num.partitions": "many"}
"""
    )
    outer.makepyfile("def test_settings(kafka_broker): pass")
    result = run(outer)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*BrokerError: config: *num.partitions*"])


def test_those_who_do_not_use_it_pay_nothing() -> None:
    """Beside pytest's own imports the plugin brings itself and its package, and no other module."""
    script = """
import sys, pytest, re, secrets
before = set(sys.modules)
import ottla.testing.pytest_plugin
print(*sorted(set(sys.modules) - before))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    brought = done.stdout.split()
    assert [name for name in brought if name != "ottla" and not name.startswith("ottla.testing")] == []
    assert brought == ["ottla", "ottla.testing", "ottla.testing.pytest_plugin"]

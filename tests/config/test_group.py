from __future__ import annotations

import pytest

from ottla.config.definition import ConfigError
from ottla.config.group import group_values, validate_group
from ottla.config.load import EMBEDDED
from ottla.config.values import BrokerConfig

SESSION, HEARTBEAT = "consumer.session.timeout.ms", "consumer.heartbeat.interval.ms"


def broker(**settings: str) -> BrokerConfig:
    return BrokerConfig({**dict(EMBEDDED), **{name.replace("_", "."): value for name, value in settings.items()}})


def refusal(config: BrokerConfig, **overrides: str) -> str | None:
    try:
        validate_group(config, {name.replace("_", "."): value for name, value in overrides.items()})
    except ConfigError as error:
        return error.message
    return None


def test_what_a_group_does_not_set_is_the_brokers() -> None:
    values = group_values(broker(group_consumer_session_timeout_ms="50000"), {HEARTBEAT: "7000"})
    assert (values[SESSION], values[HEARTBEAT]) == (50_000, 7_000)
    assert values["streams.assignor.name"] == "sticky"
    assert values["share.auto.offset.reset"] == "latest"


def test_overrides_that_nobody_knows_are_passed_over() -> None:
    """A newer controller may have written them."""
    assert group_values(broker(), {"consumer.of.tomorrow": "1"})[SESSION] == 45_000


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({}, None),
        ({"consumer_session_timeout_ms": "45000", "consumer_heartbeat_interval_ms": "15000"}, None),
        ({"consumer_session_timeout_ms": "44999"}, f"{SESSION} must be in the range 45000 to 60000 inclusive."),
        ({"consumer_session_timeout_ms": "60001"}, f"{SESSION} must be in the range 45000 to 60000 inclusive."),
        (
            {"consumer_of_tomorrow": "1", "consumer_session_timeout_ms": "x"},
            "Unknown group config name: consumer.of.tomorrow",
        ),
        ({"streams_rack_aware_assignment_tags": "a,b"}, None),
    ],
)
def test_what_may_be_set(overrides: dict[str, str], words: str | None) -> None:
    assert refusal(broker(), **overrides) == words


def test_a_session_outlives_a_heartbeat() -> None:
    config = broker(
        group_consumer_min_session_timeout_ms="10000",
        group_consumer_max_heartbeat_interval_ms="40000",
    )
    message = f"{SESSION} must be greater than {HEARTBEAT}"
    assert refusal(config, consumer_session_timeout_ms="20000", consumer_heartbeat_interval_ms="20000") == message
    assert refusal(config, consumer_session_timeout_ms="10000", consumer_heartbeat_interval_ms="9999") is None

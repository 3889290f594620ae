from __future__ import annotations

import pytest

from ottla.config import registry
from ottla.config.definition import ConfigError
from ottla.config.dynamic import DynamicConfig, validate_names
from ottla.config.load import EMBEDDED
from ottla.config.values import BrokerConfig


def _dynamic() -> DynamicConfig:
    return DynamicConfig(BrokerConfig(dict(EMBEDDED)))


def test_who_reads_a_key_is_told_when_it_changes() -> None:
    dynamic = _dynamic()
    told: list[object] = []
    dynamic.subscribe(["num.io.threads"], lambda new, names: told.append((new.integer("num.io.threads"), names)))
    dynamic.subscribe(["log.cleaner.threads"], lambda _, __: told.append("never"))
    assert dynamic.update({"num.io.threads": "5"}, {}) == ()
    assert dynamic.update({"num.io.threads": "5"}, {"num.io.threads": "6"}) == ()
    assert dynamic.update({"num.io.threads": "4"}, {"num.io.threads": "6"}) == ()
    assert dynamic.update({}, {}) == ()
    only = frozenset({"num.io.threads"})
    assert told == [(5, only), (6, only), (8, only)]


def test_a_prefixed_key_is_a_change_of_the_bare_one() -> None:
    dynamic, told = _dynamic(), []
    dynamic.subscribe(
        ["max.connections"], lambda new, _: told.append(new.listener_value("PLAINTEXT", "max.connections"))
    )
    dynamic.update({}, {"listener.name.plaintext.max.connections": "3"})
    dynamic.update({}, {})
    assert told == [3, 2**31 - 1]


def test_a_refused_entry_is_left_out_and_the_rest_applies() -> None:
    dynamic, told = _dynamic(), []

    def at_most_ten(new: BrokerConfig) -> None:
        if new.integer("num.io.threads") > 10:
            raise ConfigError("too many", "num.io.threads")

    dynamic.subscribe(["num.io.threads"], lambda new, _: told.append(new.integer("num.io.threads")), at_most_ten)
    problems = dynamic.update({"num.io.threads": "9", "log.cleaner.threads": "x"}, {"num.io.threads": "11"})
    assert sorted(str(problem) for problem in problems) == [
        "Invalid value x for configuration log.cleaner.threads: Not a number of type INT",
        "too many",
    ]
    assert told == [9]


def test_a_problem_without_a_key_changes_nothing() -> None:
    dynamic = _dynamic()
    before = dynamic.current

    def never(new: BrokerConfig) -> None:
        raise ConfigError("no")

    dynamic.subscribe(["num.io.threads"], lambda *_: None, never)
    assert len(dynamic.update({"num.io.threads": "9"}, {})) == 1
    assert dynamic.current is before


def test_a_cancelled_subscription_hears_nothing() -> None:
    dynamic, told = _dynamic(), []
    cancel = dynamic.subscribe(["num.io.threads"], lambda *_: told.append("told"))
    cancel()
    cancel()
    dynamic.update({"num.io.threads": "9"}, {})
    assert told == []


@pytest.mark.parametrize(
    ("settings", "per_broker", "words"),
    [
        (
            {"num.partitions": "2", "node.id": "1"},
            True,
            "Cannot update these configs dynamically: [num.partitions, node.id]",
        ),
        ({"ssl.keystore.type": "PEM"}, True, "can be dynamically updated only per-listener"),
        (
            {"listener.name.a.ssl.keystore.type": "PEM"},
            False,
            "Cannot update these configs at default cluster level, broker id must be specified: [listener.name.a.ssl",
        ),
        ({"num.io.threads": "0"}, False, "Invalid value 0 for configuration num.io.threads: Value must be at least 1"),
        ({"leader.replication.throttled.rate": "-1"}, True, "Value must be at least 0"),
    ],
)
def test_changes_that_cannot_be(settings: dict[str, str], per_broker: bool, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        validate_names(settings, per_broker=per_broker)
    assert words in str(caught.value)


def test_changes_that_can_be() -> None:
    validate_names({"num.io.threads": "3", "from.a.plugin": "x"}, per_broker=False)
    validate_names({"listener.name.a.ssl.keystore.type": "PEM"}, per_broker=True)


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        ("listener.name.internal.ssl.keystore.type", "ssl.keystore.type"),
        ("listener.name.internal.scram-sha-256.sasl.jaas.config", "sasl.jaas.config"),
        ("num.io.threads", "num.io.threads"),
    ],
)
def test_prefixes(name: str, bare: str) -> None:
    assert registry.bare_name(name) == bare
    definition = registry.broker_definition(name)
    assert definition is not None
    assert definition.name == name

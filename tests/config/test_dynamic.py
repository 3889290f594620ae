from __future__ import annotations

import pytest

from ottla.config import registry
from ottla.config.definition import ConfigError
from ottla.config.dynamic import validate_names


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

"""Held against what Kafka 4.4.0 answered for the same settings: golden/described.tsv, made once with its admin client.

Columns: resource, key, value (`=` before a text), source, type, read-only, sensitive, synonyms.
"""

from __future__ import annotations

import pytest

from ottla.config import describe
from ottla.config.describe import Entry, Source
from ottla.config.values import BrokerConfig
from tests.config.goldens import CLUSTER_DYNAMIC, GOLDEN, NODE_DYNAMIC, TOPIC_OVERRIDES, static_settings

_SOURCES = {
    Source.TOPIC: "DYNAMIC_TOPIC_CONFIG",
    Source.DYNAMIC_BROKER: "DYNAMIC_BROKER_CONFIG",
    Source.DYNAMIC_DEFAULT_BROKER: "DYNAMIC_DEFAULT_BROKER_CONFIG",
    Source.STATIC_BROKER: "STATIC_BROKER_CONFIG",
    Source.DEFAULT: "DEFAULT_CONFIG",
    Source.CLIENT_METRICS: "DYNAMIC_CLIENT_METRICS_CONFIG",
    Source.GROUP: "DYNAMIC_GROUP_CONFIG",
}


def _config() -> BrokerConfig:
    return BrokerConfig(static_settings(), CLUSTER_DYNAMIC, NODE_DYNAMIC)


def _row(resource: str, entry: Entry) -> str:
    synonyms = " | ".join(
        f"{_SOURCES[synonym.source]}:{synonym.name}={'null' if synonym.value is None else synonym.value}"
        for synonym in entry.synonyms
    )
    return "\t".join(
        (
            resource,
            entry.name,
            "null" if entry.value is None else f"={entry.value}",
            _SOURCES[entry.source],
            entry.type.name,
            "read-only" if entry.read_only else "-",
            "sensitive" if entry.sensitive else "-",
            synonyms,
        )
    )


@pytest.mark.parametrize("resource", ["BROKER:1", "BROKER:", "TOPIC:facts", "GROUP:g", "CLIENT_METRICS:cm"])
def test_a_resource_is_described_as_kafka_does(resource: str) -> None:
    config = _config()
    entries = {
        "BROKER:1": lambda: describe.describe_broker(config),
        "BROKER:": lambda: describe.describe_broker_defaults(config),
        "TOPIC:facts": lambda: describe.describe_topic(config, TOPIC_OVERRIDES),
        "GROUP:g": lambda: describe.describe_group(config, {"consumer.session.timeout.ms": "50000"}),
        "CLIENT_METRICS:cm": lambda: describe.describe_client_metrics(
            {"interval.ms": "1000", "metrics": "org.apache,x"}
        ),
    }[resource]()
    kafka = [line for line in (GOLDEN / "described.tsv").read_text().splitlines() if line.split("\t", 1)[0] == resource]
    assert kafka
    assert [_row(resource, entry) for entry in entries] == kafka


def test_only_the_keys_asked_for_are_described() -> None:
    config = _config()
    asked = ["num.io.threads", "no.such.key", "log.dirs"]
    assert [entry.name for entry in describe.describe_broker(config, asked)] == ["log.dirs", "num.io.threads"]
    assert len(describe.describe_topic(config, {}, [])) == len(describe.describe_topic(config, {}))


def test_an_internal_key_shows_when_it_is_set() -> None:
    config = _config()
    name = "internal.segment.bytes"
    assert describe.describe_topic(config, {}, [name]) == []
    (entry,) = describe.describe_topic(config, {name: "1000"}, [name])
    assert (entry.value, entry.source) == ("1000", Source.TOPIC)


def test_every_described_key_says_what_it_is_for() -> None:
    for entry in describe.describe_topic(_config(), {}):
        assert entry.documentation
        assert entry.documentation.endswith(".")

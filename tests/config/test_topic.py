from __future__ import annotations

import pytest

from ottla.config.definition import ConfigError
from ottla.config.load import EMBEDDED
from ottla.config.topic import topic_settings, validate_topic
from ottla.config.values import BrokerConfig


def _config(**settings: str) -> BrokerConfig:
    return BrokerConfig(dict(EMBEDDED) | {name.replace("_", "."): text for name, text in settings.items()})


def test_the_settings_of_a_topic_that_sets_nothing() -> None:
    settings = topic_settings(_config(), {})
    assert settings.segment_bytes == 1 << 30
    assert settings.retention_ms == settings.local_retention_ms == 7 * 24 * 3_600_000
    assert settings.retention_bytes == settings.local_retention_bytes == -1
    assert settings.max_message_bytes == 1_048_588
    assert (settings.compression_type, settings.compression_level) == ("producer", None)
    assert (settings.cleanup_delete, settings.cleanup_compact) == (True, False)
    assert not settings.log_append_time
    assert settings.flush_ms == settings.flush_messages == 2**63 - 1


@pytest.mark.parametrize(
    ("broker", "retention_ms"),
    [
        ({"log_retention_hours": "2"}, 7_200_000),
        ({"log_retention_hours": "2", "log_retention_minutes": "3"}, 180_000),
        ({"log_retention_minutes": "3", "log_retention_ms": "4"}, 4),
        ({"log_retention_hours": "-5"}, -1),
    ],
)
def test_retention_comes_from_the_finest_broker_key_that_is_set(broker: dict[str, str], retention_ms: int) -> None:
    assert topic_settings(_config(**broker), {}).retention_ms == retention_ms
    assert topic_settings(_config(**broker), {"retention.ms": "9"}).retention_ms == 9


def test_a_flush_falls_back_on_the_scheduler() -> None:
    assert topic_settings(_config(log_flush_scheduler_interval_ms="70"), {}).flush_ms == 70
    both = _config(log_flush_scheduler_interval_ms="70", log_flush_interval_ms="60")
    assert topic_settings(both, {}).flush_ms == 60


@pytest.mark.parametrize(("codec", "level"), [("gzip", -1), ("lz4", 9), ("zstd", 3), ("snappy", None)])
def test_the_level_is_that_of_the_codec(codec: str, level: int | None) -> None:
    assert topic_settings(_config(), {"compression.type": codec}).compression_level == level


def test_an_internal_segment_size_is_the_stronger() -> None:
    assert topic_settings(_config(), {"segment.bytes": "1048576", "internal.segment.bytes": "500"}).segment_bytes == 500


def test_a_key_nobody_knows_is_passed_over_in_metadata() -> None:
    assert topic_settings(_config(), {"from.the.future": "1"}) == topic_settings(_config(), {})


def test_what_a_topic_does_not_say_its_broker_says() -> None:
    settings = topic_settings(_config(log_retention_hours="1", compression_type="zstd"), {})
    assert (settings.retention_ms, settings.compression_type) == (3_600_000, "zstd")


TIERED = {"remote.storage.enable": "true"}


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"foo.bar": "1"}, "Unknown topic config name: foo.bar"),
        ({"retention.ms": None, "x": None}, "Null value not supported for topic configs: retention.ms,x"),
        ({"retention.ms": "-2"}, "Invalid value -2 for configuration retention.ms: Value must be at least -1"),
        (
            {"cleanup.policy": "foo"},
            "Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete",
        ),
        (
            {"min.compaction.lag.ms": "10", "max.compaction.lag.ms": "5"},
            "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)",
        ),
        (TIERED | {"cleanup.policy": "compact"}, "Remote log storage only supports topics with cleanup.policy=delete"),
        (
            TIERED | {"retention.bytes": "10", "local.retention.bytes": "11"},
            "Invalid value 11 for configuration local.retention.bytes: "
            "Value must not be more than retention.bytes property value: 10",
        ),
        (
            TIERED | {"local.retention.ms": "-1"},
            "Invalid value -1 for configuration local.retention.ms: "
            "Value must not be -1 as retention.ms value is set as 604800000.",
        ),
        (
            TIERED | {"retention.ms": "10", "remote.copy.lag.ms": "11"},
            "Invalid value 11 for configuration remote.copy.lag.ms: "
            "Value must not exceed local.retention.ms (effective value: 10)",
        ),
        (
            TIERED | {"remote.log.copy.disable": "true", "local.retention.ms": "10"},
            "the `local.retention.ms` and `retention.ms` must be set to the identical value",
        ),
    ],
)
def test_overrides_that_are_refused(overrides: dict[str, str | None], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        validate_topic(_config(remote_log_storage_system_enable="true"), overrides)
    assert words in str(caught.value)


def test_tiered_storage_needs_the_system() -> None:
    with pytest.raises(ConfigError, match="Tiered Storage functionality is disabled in the broker"):
        validate_topic(_config(), TIERED)
    validate_topic(_config(remote_log_storage_system_enable="true"), TIERED)


def test_tiered_storage_is_not_left_by_accident() -> None:
    with pytest.raises(ConfigError, match="It is invalid to disable remote storage"):
        validate_topic(_config(), {"remote.storage.enable": "false"}, existing=TIERED)
    leaving: dict[str, str | None] = {"remote.storage.enable": "false", "remote.log.delete.on.disable": "true"}
    validate_topic(_config(), leaving, existing=TIERED)


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"cleanup.policy": ""},
        {"cleanup.policy": "compact,delete"},
        {"leader.replication.throttled.replicas": "*"},
        {"retention.bytes": "-5"},
        {"segment.jitter.ms": "999999999999"},
    ],
)
def test_overrides_that_are_taken(overrides: dict[str, str | None]) -> None:
    validate_topic(_config(), overrides)

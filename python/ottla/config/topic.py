"""The configuration of a topic: what a request may set, the values that follow, and the plain data the log needs.

Prior art: Kafka's `LogConfig` and `KafkaConfig.extractLogConfigMap`. Ours parses once into `TopicSettings`, which the
data plane is given whole; nothing past this module sees a topic config as text.

Invariants: `TopicSettings` is made of values their checks accepted; a topic key that is not overridden has the value
of the first of its broker synonyms that is set, in the unit of the topic key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, final

from ottla.config import parse, registry
from ottla.config.definition import ConfigError, Required, Value, invalid_value
from ottla.config.values import BrokerConfig

LOCAL_RETENTION_AS_RETENTION: Final = -2
"""Of local.retention.*: the same as retention.*."""


@final
class TopicSettings(NamedTuple):
    """Everything a partition's log needs to know. Times in milliseconds, sizes in bytes, -1 is no limit."""

    segment_bytes: int
    segment_ms: int
    segment_jitter_ms: int
    index_bytes: int
    index_interval_bytes: int
    preallocate: bool
    max_message_bytes: int
    max_decompressed_message_bytes: int
    compression_type: str
    """`producer` (as sent), `uncompressed`, `gzip`, `snappy`, `lz4` or `zstd`."""
    compression_level: int | None
    """The level of that codec; None where it has none or the batch stays as sent."""
    log_append_time: bool
    timestamp_before_max_ms: int
    timestamp_after_max_ms: int
    min_insync_replicas: int
    unclean_leader_election: bool
    retention_ms: int
    retention_bytes: int
    cleanup_delete: bool
    cleanup_compact: bool
    file_delete_delay_ms: int
    delete_retention_ms: int
    min_compaction_lag_ms: int
    max_compaction_lag_ms: int
    min_cleanable_dirty_ratio: float
    flush_messages: int
    flush_ms: int
    remote_storage: bool
    remote_copy_disabled: bool
    local_retention_ms: int
    """Resolved: never -2."""
    local_retention_bytes: int
    """Resolved: never -2."""
    leader_throttled_replicas: tuple[str, ...]
    follower_throttled_replicas: tuple[str, ...]


def topic_values(config: BrokerConfig, overrides: Mapping[str, str]) -> dict[str, Value]:
    """The typed value of every topic key under `overrides`; raises `ConfigError` for one that cannot be."""
    values: dict[str, Value] = {}
    for name, definition in registry.TOPIC.items():
        text = overrides.get(name)
        values[name] = _from_broker(config, name) if text is None else parse.parse_value(definition, text)
    return values


def topic_settings(config: BrokerConfig, overrides: Mapping[str, str]) -> TopicSettings:
    """What the log of a topic with these overrides is to do; raises `ConfigError`.

    Overrides that nobody knows are passed over: a newer controller may have written them.
    """
    values = topic_values(config, overrides)
    policies = _words(values, "cleanup.policy")
    retention_ms, retention_bytes = _whole(values, "retention.ms"), _whole(values, "retention.bytes")
    segment_bytes = values["internal.segment.bytes"]
    compression_type = _text(values, "compression.type")
    return TopicSettings(
        segment_bytes=segment_bytes if isinstance(segment_bytes, int) else _whole(values, "segment.bytes"),
        segment_ms=_whole(values, "segment.ms"),
        segment_jitter_ms=_whole(values, "segment.jitter.ms"),
        index_bytes=_whole(values, "segment.index.bytes"),
        index_interval_bytes=_whole(values, "index.interval.bytes"),
        preallocate=_flag(values, "preallocate"),
        max_message_bytes=_whole(values, "max.message.bytes"),
        max_decompressed_message_bytes=_whole(values, "max.decompressed.message.bytes"),
        compression_type=compression_type,
        compression_level=_whole(values, f"compression.{compression_type}.level")
        if compression_type in ("gzip", "lz4", "zstd")
        else None,
        log_append_time=_text(values, "message.timestamp.type") == "LogAppendTime",
        timestamp_before_max_ms=_whole(values, "message.timestamp.before.max.ms"),
        timestamp_after_max_ms=_whole(values, "message.timestamp.after.max.ms"),
        min_insync_replicas=_whole(values, "min.insync.replicas"),
        unclean_leader_election=_flag(values, "unclean.leader.election.enable"),
        retention_ms=retention_ms,
        retention_bytes=retention_bytes,
        cleanup_delete="delete" in policies,
        cleanup_compact="compact" in policies,
        file_delete_delay_ms=_whole(values, "file.delete.delay.ms"),
        delete_retention_ms=_whole(values, "delete.retention.ms"),
        min_compaction_lag_ms=_whole(values, "min.compaction.lag.ms"),
        max_compaction_lag_ms=_whole(values, "max.compaction.lag.ms"),
        min_cleanable_dirty_ratio=_real(values, "min.cleanable.dirty.ratio"),
        flush_messages=_whole(values, "flush.messages"),
        flush_ms=_whole(values, "flush.ms"),
        remote_storage=_flag(values, "remote.storage.enable"),
        remote_copy_disabled=_flag(values, "remote.log.copy.disable"),
        local_retention_ms=_local(_whole(values, "local.retention.ms"), retention_ms),
        local_retention_bytes=_local(_whole(values, "local.retention.bytes"), retention_bytes),
        leader_throttled_replicas=_words(values, "leader.replication.throttled.replicas"),
        follower_throttled_replicas=_words(values, "follower.replication.throttled.replicas"),
    )


def validate_topic(
    config: BrokerConfig, overrides: Mapping[str, str | None], existing: Mapping[str, str] | None = None
) -> None:
    """May a topic have these overrides? Raises `ConfigError` in Kafka's words (INVALID_CONFIG on the wire).

    `existing` is what the topic had before, when it is altered. Order of checks: nulls, unknown names, each value, then
    one value against another (`ControllerConfigurationValidator`, `LogConfig.validate`).
    """
    if nulls := [name for name, text in overrides.items() if text is None]:
        raise ConfigError(f"Null value not supported for topic configs: {','.join(nulls)}")
    written = {name: text for name, text in overrides.items() if text is not None}
    for name in written:
        if name not in registry.TOPIC:
            raise ConfigError(f"Unknown topic config name: {name}", name)
    values = topic_values(config, written)
    least, most = _whole(values, "min.compaction.lag.ms"), _whole(values, "max.compaction.lag.ms")
    if least > most:
        raise ConfigError(
            f"conflict topic config setting min.compaction.lag.ms ({least}) > max.compaction.lag.ms ({most})",
            "min.compaction.lag.ms",
        )
    if _flag(values, "remote.storage.enable"):
        _validate_tiered(values, config.boolean("remote.log.storage.system.enable"))
    elif (existing or {}).get("remote.storage.enable", "").lower() == "true" and not _flag(
        values, "remote.log.delete.on.disable"
    ):
        raise ConfigError(
            "It is invalid to disable remote storage without deleting remote data. If you want to keep the remote data "
            "and turn to read only, please set `remote.storage.enable=true,remote.log.copy.disable=true`. If you want "
            "to disable remote storage and delete all remote data, please set "
            "`remote.storage.enable=false,remote.log.delete.on.disable=true`.",
            "remote.storage.enable",
        )


def _validate_tiered(values: Mapping[str, Value], system_enabled: bool) -> None:
    if not system_enabled:
        raise ConfigError(
            "Tiered Storage functionality is disabled in the broker. "
            "Topic cannot be configured with remote log storage.",
            "remote.storage.enable",
        )
    if _words(values, "cleanup.policy") not in ((), ("delete",)):
        raise ConfigError(
            "Remote log storage only supports topics with cleanup.policy=delete or cleanup.policy being an empty list.",
            "cleanup.policy",
        )
    retention_bytes = _whole(values, "retention.bytes")
    if retention_bytes > -1:
        _validate_local(values, "retention.bytes")
    if _whole(values, "retention.ms") != -1:
        _validate_local(values, "retention.ms")
    for unit in ("bytes", "ms"):
        _validate_copy_lag(values, unit)
    if _flag(values, "remote.log.copy.disable"):
        for unit in ("bytes", "ms"):
            local = _whole(values, f"local.retention.{unit}")
            if local not in (LOCAL_RETENTION_AS_RETENTION, _whole(values, f"retention.{unit}")):
                raise ConfigError(
                    f"When `remote.log.copy.disable` is set to true, the `local.retention.{unit}` and "
                    f"`retention.{unit}` must be set to the identical value because there will be no more logs copied "
                    "to the remote storage.",
                    f"local.retention.{unit}",
                )


def _validate_local(values: Mapping[str, Value], total_name: str) -> None:
    total, local = _whole(values, total_name), _whole(values, f"local.{total_name}")
    if local == LOCAL_RETENTION_AS_RETENTION:
        return
    if local == -1:
        raise invalid_value(
            f"local.{total_name}", local, f"Value must not be -1 as {total_name} value is set as {total}."
        )
    if local > total:
        raise invalid_value(
            f"local.{total_name}", local, f"Value must not be more than {total_name} property value: {total}"
        )


def _validate_copy_lag(values: Mapping[str, Value], unit: str) -> None:
    name, bound = f"remote.copy.lag.{unit}", f"local.retention.{unit}"
    most = _local(_whole(values, bound), _whole(values, f"retention.{unit}"))
    lag = _whole(values, name)
    if lag > 0 and most >= 0 and lag > most:
        raise invalid_value(name, lag, f"Value must not exceed {bound} (effective value: {most})")


def retention_ms_default(config: BrokerConfig) -> int:
    """log.retention.ms, else of minutes, else of hours; anything negative is -1."""
    value = _from_chain(config, "retention.ms")
    return -1 if value < 0 else value


def segment_ms_default(config: BrokerConfig) -> int:
    return _from_chain(config, "segment.ms")


def segment_jitter_ms_default(config: BrokerConfig) -> int:
    return _from_chain(config, "segment.jitter.ms")


def _from_chain(config: BrokerConfig, name: str) -> int:
    for synonym, unit in registry.TOPIC_SYNONYMS[name]:
        value = config.optional_integer(synonym)
        if value is not None:
            return value * unit
    raise AssertionError(name)


def _from_broker(config: BrokerConfig, name: str) -> Value:
    synonyms = registry.TOPIC_SYNONYMS.get(name)
    if synonyms is None:
        default = registry.TOPIC[name].default
        assert not isinstance(default, Required), name
        return default
    if name == "retention.ms":
        return retention_ms_default(config)
    return _from_chain(config, name) if len(synonyms) > 1 else config.value(synonyms[0][0])


def _local(local: int, total: int) -> int:
    return total if local == LOCAL_RETENTION_AS_RETENTION else local


def _whole(values: Mapping[str, Value], name: str) -> int:
    value = values[name]
    assert isinstance(value, int), name
    return value


def _real(values: Mapping[str, Value], name: str) -> float:
    value = values[name]
    assert isinstance(value, float), name
    return value


def _flag(values: Mapping[str, Value], name: str) -> bool:
    value = values[name]
    assert isinstance(value, bool), name
    return value


def _text(values: Mapping[str, Value], name: str) -> str:
    value = values[name]
    assert isinstance(value, str), name
    return value


def _words(values: Mapping[str, Value], name: str) -> tuple[str, ...]:
    value = values[name]
    assert isinstance(value, tuple), name
    return value

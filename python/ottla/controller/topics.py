"""Creating and deleting topics, adding partitions: every check in Kafka's order, with Kafka's words.

Prior art: Kafka's ``ReplicationControlManager.createTopics``, ``createPartitions``, ``deleteTopics``. Ours are
functions of an image: they emit records and change nothing. What depends on who asks (duplicates, authorisation) is
decided in ``ottla.api``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, final

from ottla.controller.configs import TopicConfigs, topic_config_records
from ottla.controller.decision import RECORDS_PER_USER_OPERATION_MAX, ApiError, Decision, Refused
from ottla.controller.names import collision, invalid_name
from ottla.controller.placement import UsableBroker, place
from ottla.errors import ErrorCode
from ottla.ids import DIRECTORY_MIGRATING, DIRECTORY_UNASSIGNED, NO_LEADER
from ottla.metadata.image import REPLICAS, Image
from ottla.records.cluster_metadata import PartitionRecord, RegisterBrokerRecord, RemoveTopicRecord, TopicRecord
from ottla.wire.k19_create_topics import CreatableTopic, CreatableTopicConfigs, CreatableTopicResult
from ottla.wire.k37_create_partitions import CreatePartitionsTopic, CreatePartitionsTopicResult

__all__ = ["TopicDefaults", "TopicTools", "create_partitions", "create_topics", "delete_topics"]

USE_DEFAULT: Final = -1
PARTITIONS_PER_REQUEST_MAX: Final = 10_000
TOO_MANY_RECORDS: Final = "Unable to perform excessively large batch operation."
UNASSIGNED_BY_METADATA_VERSION: Final = 17


@final
@dataclass(slots=True, frozen=True)
class TopicDefaults:
    """What -1 stands for."""

    num_partitions: int
    replication_factor: int


@final
@dataclass(slots=True, frozen=True)
class TopicTools:
    """What a decider may not have in itself: ids, chance, and the knowledge of configs."""

    defaults: TopicDefaults
    configs: TopicConfigs
    new_topic_id: Callable[[], bytes]
    random_below: Callable[[int], int]


def create_topics(
    image: Image,
    topics: Sequence[CreatableTopic],
    describable: frozenset[str],
    tools: TopicTools,
    *,
    validate_only: bool,
) -> Decision[tuple[CreatableTopicResult, ...]]:
    """Records for all topics that can be, results for all, in order. Names in ``describable`` get their configs in the
    answer.

    Raises Refused when the request as a whole is too large.
    """
    _refuse_too_many_partitions(topics, tools.defaults.num_partitions)
    records: list[object] = []
    results: list[CreatableTopicResult] = []
    for topic, error in zip(topics, _check_names(image, topics), strict=True):
        try:
            if error is not None:
                raise Refused(*error)
            created, result = _create_topic(image, topic, topic.name in describable, tools)
        except Refused as refused:
            results.append(failed_topic(topic.name, refused.error))
        else:
            if len(records) + len(created) > RECORDS_PER_USER_OPERATION_MAX:
                raise Refused(ErrorCode.POLICY_VIOLATION, TOO_MANY_RECORDS)
            records += created
            results.append(result)
    return Decision([] if validate_only else records, tuple(results))


def failed_topic(name: str, error: ApiError) -> CreatableTopicResult:
    """The result of a topic that is not created."""
    return CreatableTopicResult(name=name, error_code=error.code, error_message=error.message, configs=())


def _refuse_too_many_partitions(topics: Iterable[CreatableTopic], default: int) -> None:
    total = 0
    for topic in topics:
        if topic.assignments:
            total += len(topic.assignments)
        else:
            total += default if topic.num_partitions == USE_DEFAULT else max(0, topic.num_partitions)
    if total > PARTITIONS_PER_REQUEST_MAX:
        raise Refused(ErrorCode.POLICY_VIOLATION, "Excessively large number of partitions per request.")


def _check_names(image: Image, topics: Iterable[CreatableTopic]) -> list[ApiError | None]:
    errors: list[ApiError | None] = []
    for topic in topics:
        name = topic.name
        if name in image.topics.id_of:
            errors.append(ApiError(ErrorCode.TOPIC_ALREADY_EXISTS, f"Topic '{name}' already exists."))
        elif (reason := invalid_name(name)) is not None:
            errors.append(ApiError(ErrorCode.INVALID_TOPIC_EXCEPTION, reason))
        elif (other := collision(image.topics, name)) is not None:
            message = f"Topic '{name}' collides with existing topic: {other}"
            errors.append(ApiError(ErrorCode.INVALID_TOPIC_EXCEPTION, message))
        else:
            errors.append(None)
    return errors


def _create_topic(
    image: Image, topic: CreatableTopic, describable: bool, tools: TopicTools
) -> tuple[list[object], CreatableTopicResult]:
    overrides = {config.name: config.value for config in topic.configs}
    if overrides and (reason := tools.configs.refuse(image, overrides)) is not None:
        raise Refused(ErrorCode.INVALID_CONFIG, reason)
    values = {name: value for name, value in overrides.items() if value is not None}
    partitions = _assign(image, topic, tools)
    topic_id = tools.new_topic_id()
    result = CreatableTopicResult(
        name=topic.name,
        topic_id=topic_id,
        topic_config_error_code=ErrorCode.NONE if describable else ErrorCode.TOPIC_AUTHORIZATION_FAILED,
        num_partitions=len(partitions) if describable else -1,
        replication_factor=len(partitions[0]) if describable else -1,
        configs=_described(image, values, tools) if describable else (),
    )
    records: list[object] = [TopicRecord(name=topic.name, topic_id=topic_id)]
    records += topic_config_records(topic.name, values.items())
    records += _partition_records(image, topic_id, 0, partitions)
    return records, result


def _assign(image: Image, topic: CreatableTopic, tools: TopicTools) -> list[tuple[int, ...]]:
    if topic.assignments:
        return _assign_by_hand(image, topic)
    if topic.replication_factor < USE_DEFAULT or topic.replication_factor == 0:
        raise Refused(
            ErrorCode.INVALID_REPLICATION_FACTOR,
            "Replication factor must be larger than 0, or -1 to use the default value.",
        )
    if topic.num_partitions < USE_DEFAULT or topic.num_partitions == 0:
        raise Refused(ErrorCode.INVALID_PARTITIONS, "Number of partitions was set to an invalid non-positive value.")
    defaults = tools.defaults
    count = defaults.num_partitions if topic.num_partitions == USE_DEFAULT else topic.num_partitions
    factor = defaults.replication_factor if topic.replication_factor == USE_DEFAULT else topic.replication_factor
    if count > RECORDS_PER_USER_OPERATION_MAX:
        raise Refused(ErrorCode.POLICY_VIOLATION, TOO_MANY_RECORDS)
    try:
        partitions = place(count, factor, usable_brokers(image), tools.random_below)
    except Refused as refused:
        message = f"Unable to replicate the partition {factor} time(s): {refused.error.message}"
        raise Refused(ErrorCode.INVALID_REPLICATION_FACTOR, message) from None
    _refuse_inactive(image, partitions, factor)
    return partitions


def _assign_by_hand(image: Image, topic: CreatableTopic) -> list[tuple[int, ...]]:
    if topic.replication_factor != USE_DEFAULT:
        raise Refused(
            ErrorCode.INVALID_REQUEST,
            "A manual partition assignment was specified, but replication factor was not set to -1.",
        )
    if topic.num_partitions != USE_DEFAULT:
        raise Refused(
            ErrorCode.INVALID_REQUEST,
            "A manual partition assignment was specified, but numPartitions was not set to -1.",
        )
    partitions: dict[int, tuple[int, ...]] = {}
    factor: int | None = None
    for assignment in topic.assignments:
        index, replicas = assignment.partition_index, tuple(assignment.broker_ids)
        if index in partitions:
            raise Refused(
                ErrorCode.INVALID_REPLICA_ASSIGNMENT,
                f"Found multiple manual partition assignments for partition {index}",
            )
        _check_manual_assignment(image, replicas, factor)
        factor = len(replicas)
        _refuse_all_inactive(image, replicas, index)
        partitions[index] = replicas
    if any(index not in partitions for index in range(len(partitions))):
        raise Refused(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT, "partitions should be a consecutive 0-based integer sequence"
        )
    return [partitions[index] for index in range(len(partitions))]


def _check_manual_assignment(image: Image, replicas: Sequence[int], factor: int | None) -> None:
    prefix = "The manual partition assignment includes"
    if not replicas:
        raise Refused(ErrorCode.INVALID_REPLICA_ASSIGNMENT, f"{prefix} an empty replica list.")
    previous: int | None = None
    for broker_id in sorted(replicas):
        if broker_id not in image.brokers:
            raise Refused(
                ErrorCode.INVALID_REPLICA_ASSIGNMENT,
                f"{prefix} broker {broker_id}, but no such broker is registered.",
            )
        if broker_id == previous:
            raise Refused(ErrorCode.INVALID_REPLICA_ASSIGNMENT, f"{prefix} the broker {broker_id} more than once.")
        previous = broker_id
    if factor is not None and len(replicas) != factor:
        raise Refused(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            f"{prefix} a partition with {len(replicas)} replica(s), but this is not consistent with previous "
            f"partitions, which have {factor} replica(s).",
        )


def _refuse_all_inactive(image: Image, replicas: Iterable[int], index: int) -> None:
    if not any(active(image, broker_id) for broker_id in replicas):
        raise Refused(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            f"All brokers specified in the manual partition assignment for partition {index} "
            "are fenced or in controlled shutdown.",
        )


def _refuse_inactive(image: Image, partitions: Iterable[tuple[int, ...]], factor: int) -> None:
    """A placement nobody could lead, as when every broker is in controlled shutdown."""
    for replicas in set(partitions):
        if not any(active(image, broker_id) for broker_id in replicas):
            raise Refused(
                ErrorCode.INVALID_REPLICATION_FACTOR,
                f"Unable to replicate the partition {factor} time(s): All brokers are currently fenced or in "
                "controlled shutdown.",
            )


def active(image: Image, broker_id: int) -> bool:
    """May the broker lead and be in an ISR: registered, not fenced, not shutting down?"""
    broker = image.brokers.get(broker_id)
    return broker is not None and not broker.fenced and not broker.in_controlled_shutdown


def usable_brokers(image: Image) -> list[UsableBroker]:
    """Brokers that may get new replicas: registered, with a log directory that is not cordoned."""
    return [
        UsableBroker(broker.broker_id, broker.rack, broker.fenced)
        for broker in image.brokers.values()
        if not (broker.log_dirs and set(broker.log_dirs) <= set(broker.cordoned_log_dirs or ()))
    ]


def default_directory(broker: RegisterBrokerRecord | None) -> bytes:
    """Where a new replica on the broker goes: its only directory; unassigned when it has several, which it then
    reports."""
    if broker is None or not broker.log_dirs:
        return DIRECTORY_MIGRATING
    return broker.log_dirs[0] if len(broker.log_dirs) == 1 else DIRECTORY_UNASSIGNED


def _partition_records(
    image: Image, topic_id: bytes, first: int, partitions: Sequence[tuple[int, ...]]
) -> list[PartitionRecord]:
    assigned = image.metadata_version >= UNASSIGNED_BY_METADATA_VERSION
    known: dict[tuple[int, ...], tuple[tuple[int, ...], tuple[bytes, ...]]] = {}
    records: list[PartitionRecord] = []
    for partition_id, replicas in enumerate(partitions, first):
        if replicas not in known:
            known[replicas] = (
                tuple(broker_id for broker_id in replicas if active(image, broker_id)),
                tuple(default_directory(image.brokers.get(broker_id)) for broker_id in replicas) if assigned else (),
            )
        isr, directories = known[replicas]
        records.append(
            PartitionRecord(
                partition_id=partition_id,
                topic_id=topic_id,
                replicas=replicas,
                isr=isr,
                leader=isr[0] if isr else NO_LEADER,
                leader_epoch=0,
                partition_epoch=0,
                directories=directories,
            )
        )
    return records


def _described(image: Image, overrides: dict[str, str], tools: TopicTools) -> tuple[CreatableTopicConfigs, ...]:
    return tuple(
        CreatableTopicConfigs(
            name=entry.name,
            value=entry.value,
            read_only=entry.read_only,
            config_source=entry.source,
            is_sensitive=entry.sensitive,
        )
        for entry in tools.configs.describe(image, overrides)
    )


def create_partitions(
    image: Image, topics: Sequence[CreatePartitionsTopic], tools: TopicTools, *, validate_only: bool
) -> Decision[tuple[CreatePartitionsTopicResult, ...]]:
    """Records for the topics that can grow, results for all, in order. Raises Refused when the request is too large."""
    _refuse_too_many_additional(image, topics)
    records: list[object] = []
    results: list[CreatePartitionsTopicResult] = []
    for topic in topics:
        error = ApiError(ErrorCode.NONE)
        try:
            created = _create_partitions(image, topic, tools)
        except Refused as refused:
            error = refused.error
        else:
            if len(records) + len(created) > RECORDS_PER_USER_OPERATION_MAX:
                raise Refused(ErrorCode.POLICY_VIOLATION, TOO_MANY_RECORDS)
            records += created
        results.append(CreatePartitionsTopicResult(name=topic.name, error_code=error.code, error_message=error.message))
    return Decision([] if validate_only else records, tuple(results))


def _refuse_too_many_additional(image: Image, topics: Iterable[CreatePartitionsTopic]) -> None:
    total = 0
    for topic in topics:
        existing = image.topics.named(topic.name)
        if existing is not None and topic.count >= 0:
            total += max(0, topic.count - len(existing.partitions))
    if total > PARTITIONS_PER_REQUEST_MAX:
        raise Refused(ErrorCode.POLICY_VIOLATION, "Excessively large number of additional partitions per request.")


def _create_partitions(image: Image, topic: CreatePartitionsTopic, tools: TopicTools) -> list[PartitionRecord]:
    existing = image.topics.named(topic.name)
    if existing is None:
        raise Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    first = len(existing.partitions)
    if topic.count == first:
        raise Refused(ErrorCode.INVALID_PARTITIONS, f"Topic already has {first} partition(s).")
    if topic.count < first:
        raise Refused(
            ErrorCode.INVALID_PARTITIONS,
            f"The topic {topic.name} currently has {first} partition(s); {topic.count} would not be an increase.",
        )
    additional = topic.count - first
    factor = len(existing.partitions[0][REPLICAS])
    if topic.assignments is None:
        partitions = place(additional, factor, usable_brokers(image), tools.random_below)
        _refuse_inactive(image, partitions, factor)
        return _partition_records(image, existing.topic_id, first, partitions)
    if len(topic.assignments) != additional:
        raise Refused(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            f"Attempted to add {additional} additional partition(s), but only {len(topic.assignments)} "
            "assignment(s) were specified.",
        )
    partitions = []
    for index, assignment in enumerate(topic.assignments, first):
        replicas = tuple(assignment.broker_ids)
        _check_manual_assignment(image, replicas, factor)
        _refuse_all_inactive(image, replicas, index)
        partitions.append(replicas)
    return _partition_records(image, existing.topic_id, first, partitions)


def delete_topics(image: Image, topic_ids: Iterable[bytes]) -> Decision[dict[bytes, ApiError]]:
    """Records that remove these topics, and what became of each."""
    records: list[object] = []
    results: dict[bytes, ApiError] = {}
    for topic_id in topic_ids:
        if topic_id not in image.topics.by_id:
            results[topic_id] = ApiError(ErrorCode.UNKNOWN_TOPIC_ID, "This server does not host this topic ID.")
            continue
        if len(records) == RECORDS_PER_USER_OPERATION_MAX:
            raise Refused(ErrorCode.POLICY_VIOLATION, TOO_MANY_RECORDS)
        records.append(RemoveTopicRecord(topic_id=topic_id))
        results[topic_id] = ApiError(ErrorCode.NONE)
    return Decision(records, results)

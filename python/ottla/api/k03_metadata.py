"""Metadata (3), v0-13: topics, partitions, leaders; and the creation of topics that do not exist yet.

The data plane answers from its view. Here comes what names an unknown topic that may be created: it is created, and the
answer waits, bounded, until it is led; Kafka answers UNKNOWN_TOPIC_OR_PARTITION the first time and lets the client ask
again. The rest of the answer is Kafka's: v0 empty and v1+ null topics mean all, hidden without Describe; v10-11 take no
ids; v12+ ids win over names; v0 leaves out replicas that are not alive; before v6 a leader without this listener is
LEADER_NOT_AVAILABLE. An all-topics request and one without Create never create.
"""

from __future__ import annotations

from ottla.api.broker import Broker
from ottla.api.context import RequestContext
from ottla.api.creation import create_topics_asked_for
from ottla.api.endpoints import brokers_on, leader_on
from ottla.controller.names import invalid_name
from ottla.errors import ErrorCode
from ottla.ids import ZERO_UUID
from ottla.metadata.image import INTERNAL_TOPICS, ISR, LEADER_EPOCH, REPLICAS, Image, Partition, Topic
from ottla.metadata.publishers import offline_replicas
from ottla.security.authorizer import (
    CLUSTER,
    CLUSTER_OPERATIONS,
    TOPIC_OPERATIONS,
    Operation,
    Resource,
    ResourceType,
)
from ottla.wire.k03_metadata import (
    MetadataRequest,
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)

__all__ = ["metadata"]

NOT_ASKED = -(2**31)


async def metadata(request: MetadataRequest, context: RequestContext, broker: Broker) -> MetadataResponse:
    """See the module."""
    version = context.api_version
    if version < 12 and any(t.name is None or t.topic_id != ZERO_UUID for t in request.topics or ()):
        return MetadataResponse(
            topics=tuple(
                MetadataResponseTopic(error_code=ErrorCode.INVALID_REQUEST, name=t.name or "", topic_id=t.topic_id)
                for t in request.topics or ()
            )
        )
    return _with_cluster(request, context, broker, await _topics(request, context, broker))


async def _topics(
    request: MetadataRequest, context: RequestContext, broker: Broker
) -> tuple[MetadataResponseTopic, ...]:
    every = request.topics is None or (context.api_version == 0 and not request.topics)
    ids = list(dict.fromkeys(t.topic_id for t in request.topics or () if t.topic_id != ZERO_UUID))
    image = broker.metadata.image
    unknown: list[MetadataResponseTopic] = []
    if every:
        names = sorted(image.topics.id_of)
    elif ids:
        known = [image.topics.by_id[topic_id] for topic_id in ids if topic_id in image.topics.by_id]
        names = [topic.name for topic in known]
        unknown = [
            MetadataResponseTopic(error_code=ErrorCode.UNKNOWN_TOPIC_ID, name=None, topic_id=topic_id)
            for topic_id in ids
            if topic_id not in image.topics.by_id
        ]
    else:
        names = list(dict.fromkeys(topic.name for topic in request.topics or () if topic.name is not None))
    visible = [name for name in names if context.authorize_topic(Operation.DESCRIBE, name)]
    hidden = [] if every else [name for name in names if name not in visible]

    not_creatable: list[str] = []
    if not every and not ids and request.allow_auto_topic_creation and broker.settings.auto_create_topics_enable:
        missing = [name for name in visible if name not in image.topics.id_of]
        if missing and not context.authorize(Operation.CREATE):
            not_creatable = [name for name in missing if not context.authorize_topic(Operation.CREATE, name)]
        await create_topics_asked_for([name for name in missing if name not in not_creatable], broker)
        image = broker.metadata.image
    return (
        *unknown,
        *(_described(image, name, request, context, broker) for name in visible if name not in not_creatable),
        *(_failed(name, ErrorCode.TOPIC_AUTHORIZATION_FAILED) for name in not_creatable),
        *(_hidden(image, name, by_id=bool(ids)) for name in hidden),
    )


def _failed(name: str, code: ErrorCode) -> MetadataResponseTopic:
    return MetadataResponseTopic(error_code=code, name=name, is_internal=name in INTERNAL_TOPICS)


def _hidden(image: Image, name: str, *, by_id: bool) -> MetadataResponseTopic:
    """A topic the caller may not see: by name without its id, by id without its name."""
    if by_id:
        topic_id = image.topics.id_of.get(name, ZERO_UUID)
        return MetadataResponseTopic(error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED, name=None, topic_id=topic_id)
    return MetadataResponseTopic(error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED, name=name)


def _described(
    image: Image, name: str, request: MetadataRequest, context: RequestContext, broker: Broker
) -> MetadataResponseTopic:
    operations = NOT_ASKED
    if context.api_version >= 8 and request.include_topic_authorized_operations:
        operations = context.operations(TOPIC_OPERATIONS, Resource(ResourceType.TOPIC, name))
    topic = image.topics.named(name)
    if topic is None:
        unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        return MetadataResponseTopic(
            error_code=unknown if invalid_name(name) is None else ErrorCode.INVALID_TOPIC_EXCEPTION,
            name=name,
            is_internal=name in INTERNAL_TOPICS,
            topic_authorized_operations=operations,
        )
    return MetadataResponseTopic(
        name=name,
        topic_id=topic.topic_id,
        is_internal=topic.internal,
        partitions=_partitions(image, topic, context, broker),
        topic_authorized_operations=operations,
    )


def _partitions(
    image: Image, topic: Topic, context: RequestContext, broker: Broker
) -> tuple[MetadataResponsePartition, ...]:
    return tuple(_partition(image, index, p, context, broker) for index, p in enumerate(topic.partitions))


def _partition(
    image: Image, index: int, partition: Partition, context: RequestContext, broker: Broker
) -> MetadataResponsePartition:
    version = context.api_version
    leader, error = leader_on(image, partition, context, broker, listener_error=version >= 6)
    replicas, isr = partition[REPLICAS], partition[ISR]
    if version == 0:
        alive_replicas = tuple(replica for replica in replicas if image.alive(replica))
        alive_isr = tuple(replica for replica in isr if image.alive(replica))
        if error is ErrorCode.NONE and (alive_replicas, alive_isr) != (replicas, isr):
            error = ErrorCode.REPLICA_NOT_AVAILABLE
        replicas, isr = alive_replicas, alive_isr
    return MetadataResponsePartition(
        error_code=error,
        partition_index=index,
        leader_id=leader,
        leader_epoch=partition[LEADER_EPOCH],
        replica_nodes=replicas,
        isr_nodes=isr,
        offline_replicas=offline_replicas(image, partition),
    )


def _with_cluster(
    request: MetadataRequest, context: RequestContext, broker: Broker, topics: tuple[MetadataResponseTopic, ...]
) -> MetadataResponse:
    operations = NOT_ASKED
    if 8 <= context.api_version <= 10 and request.include_cluster_authorized_operations:
        allowed = context.authorize(Operation.DESCRIBE)
        operations = context.operations(CLUSTER_OPERATIONS, CLUSTER) if allowed else 0
    brokers = brokers_on(broker.metadata.image, context, broker)
    return MetadataResponse(
        brokers=tuple(
            MetadataResponseBroker(node_id=b.broker_id, host=b.host, port=b.port, rack=b.rack) for b in brokers
        ),
        cluster_id=broker.cluster_id,
        controller_id=brokers[0].broker_id if brokers else -1,
        topics=topics,
        cluster_authorized_operations=operations,
    )

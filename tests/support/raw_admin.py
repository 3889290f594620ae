"""What tests ask a broker for beside their subject: topics, producer ids, a sign of life."""

from __future__ import annotations

import time

from ottla.errors import ErrorCode
from ottla.wire.k03_metadata import MetadataRequest, MetadataRequestTopic, MetadataResponseTopic
from ottla.wire.k18_api_versions import ApiVersionsRequest
from ottla.wire.k19_create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from ottla.wire.k22_init_producer_id import InitProducerIdRequest
from tests.support.raw import TIMEOUT_S, Connection


def create_topic(
    connection: Connection, name: str, partitions: int = 1, configs: dict[str, str | int] | None = None
) -> int:
    """Creates a topic; returns the error code."""
    pairs = tuple(CreatableTopicConfig(name=key, value=str(value)) for key, value in (configs or {}).items())
    topic = CreatableTopic(name=name, num_partitions=partitions, replication_factor=1, configs=pairs)
    response = connection.ask(CreateTopicsRequest(topics=(topic,), timeout_ms=30_000), 7)
    code: int = response.topics[0].error_code
    return code


def topic_of(connection: Connection, name: str) -> MetadataResponseTopic:
    """What Metadata says of a topic."""
    request = MetadataRequest(topics=(MetadataRequestTopic(name=name),), allow_auto_topic_creation=False)
    topic: MetadataResponseTopic = connection.ask(request, 12).topics[0]
    return topic


def new_producer_id(connection: Connection) -> int:
    """An idempotent producer's id, of epoch 0. Asks again while the broker fetches ids for itself."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        response = connection.ask(InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60_000), 4)
        if response.error_code != ErrorCode.COORDINATOR_LOAD_IN_PROGRESS or time.monotonic() > deadline:
            break
    assert response.error_code == 0, response
    producer_id: int = response.producer_id
    return producer_id


def is_alive(address: tuple[str, int]) -> bool:
    """Whether a new connection is answered."""
    with Connection(address) as connection:
        request = ApiVersionsRequest(client_software_name="raw", client_software_version="1")
        code: int = connection.ask(request, 3).error_code
        return code == 0

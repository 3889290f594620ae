"""Topics of an embedded broker, made and deleted by its own controller: no client, no socket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ottla.api.broker import Broker as Services
from ottla.controller.decision import ApiError, Refused
from ottla.errors import ErrorCode
from ottla.testing.thread import BrokerError
from ottla.wire.k19_create_topics import CreatableTopic, CreatableTopicConfig

__all__ = ["create", "delete"]

USE_DEFAULT: Final = -1


async def create(services: Services, name: str, partitions: int | None, config: Mapping[str, str]) -> None:
    """Returns when the data plane leads all of it. Raises ``BrokerError``."""
    topic = CreatableTopic(
        name=name,
        num_partitions=USE_DEFAULT if partitions is None else partitions,
        replication_factor=USE_DEFAULT,
        configs=tuple(CreatableTopicConfig(name=key, value=value) for key, value in config.items()),
    )
    try:
        (result,), offsets = await services.controller.create_topics([topic], frozenset(), validate_only=False)
    except Refused as refused:
        raise _error("create", name, refused.error) from None
    if result.error_code:
        raise _error("create", name, ApiError(ErrorCode(result.error_code), result.error_message))
    await services.metadata.wait_served(offsets)


async def delete(services: Services, name: str) -> None:
    """Returns when the data plane has given all of it up. Raises ``BrokerError``."""
    topic_id = services.metadata.image.topics.id_of.get(name)
    if topic_id is None:
        raise _error("delete", name, ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "There is no such topic."))
    try:
        errors, offsets = await services.controller.delete_topics([topic_id])
    except Refused as refused:
        raise _error("delete", name, refused.error) from None
    error = errors.get(topic_id)
    if error is not None and error.code:
        raise _error("delete", name, error)
    await services.metadata.wait_served(offsets)


def _error(what: str, name: str, error: ApiError) -> BrokerError:
    return BrokerError(f"cannot {what} topic {name}: {error.message or ''} ({error.code.name})".replace("  ", " "))

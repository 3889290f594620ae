"""DeleteTopics (20): delete topics.

v1 throttle · v3 TOPIC_DELETION_DISABLED · v4 flexible · v5 message + quota error · v6 by name or id
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, Name, String, Uuid, message, struct


@struct
class DeleteTopicState:
    name: str | None = Name("6+", default=None, nullable="6+")
    topic_id: bytes = Uuid("6+")


@message(api_key=20, valid="1-6", flexible="4+", listeners="broker,controller")
class DeleteTopicsRequest:
    topics: tuple[DeleteTopicState, ...] = Array(DeleteTopicState, "6+")
    topic_names: tuple[str, ...] = Array(Name(), "0-5", ignorable=True)
    timeout_ms: int = Int32("0+")


@struct
class DeletableTopicResult:
    name: str | None = Name("0+", nullable="6+")
    topic_id: bytes = Uuid("6+", ignorable=True)
    error_code: int = Int16("0+")
    error_message: str | None = String("5+", default=None, nullable="5+", ignorable=True)


@message(api_key=20, valid="1-6", flexible="4+")
class DeleteTopicsResponse:
    throttle_time_ms: int = Int32("1+", ignorable=True)
    responses: tuple[DeletableTopicResult, ...] = Array(DeletableTopicResult, "0+")

"""FindCoordinator (10): which broker coordinates this group, transaction or share partition?

v1 key type · v3 flexible · v4 batched keys (KIP-699) · v5 TRANSACTION_ABORTABLE · v6 key type 2 = share
``group:topicId:partition`` (KIP-932)

Creates the internal topic when missing and answers COORDINATOR_NOT_AVAILABLE.
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int8, Int16, Int32, String, message, struct


@message(api_key=10, valid="0-6", flexible="3+", listeners="broker")
class FindCoordinatorRequest:
    key: str = String("0-3")
    key_type: int = Int8("1+")
    coordinator_keys: tuple[str, ...] = Array(String(), "4+")


@struct
class Coordinator:
    key: str = String("4+")
    node_id: int = Int32("4+")
    host: str = String("4+")
    port: int = Int32("4+")
    error_code: int = Int16("4+")
    error_message: str | None = String("4+", nullable="4+", ignorable=True)


@message(api_key=10, valid="0-6", flexible="3+")
class FindCoordinatorResponse:
    throttle_time_ms: int = Int32("1+", ignorable=True)
    error_code: int = Int16("0-3")
    error_message: str | None = String("1-3", nullable="1-3", ignorable=True)
    node_id: int = Int32("0-3")
    host: str = String("0-3")
    port: int = Int32("0-3")
    coordinators: tuple[Coordinator, ...] = Array(Coordinator, "4+")

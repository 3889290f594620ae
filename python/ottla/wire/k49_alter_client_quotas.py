"""AlterClientQuotas (49): set or remove client quotas.

v1 flexible
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Float64, Int16, Int32, String, message, struct


@struct
class EntityData:
    entity_type: str = String("0+")
    entity_name: str | None = String("0+", nullable="0+")


@struct
class OpData:
    key: str = String("0+")
    value: float = Float64("0+")
    remove: bool = Bool("0+")


@struct(name="EntryData")
class RequestEntryData:
    entity: tuple[EntityData, ...] = Array(EntityData, "0+")
    ops: tuple[OpData, ...] = Array(OpData, "0+")


@message(api_key=49, valid="0-1", flexible="1+", listeners="broker,controller")
class AlterClientQuotasRequest:
    entries: tuple[RequestEntryData, ...] = Array(RequestEntryData, "0+")
    validate_only: bool = Bool("0+")


@struct(name="EntryData")
class ResponseEntryData:
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", nullable="0+")
    entity: tuple[EntityData, ...] = Array(EntityData, "0+")


@message(api_key=49, valid="0-1", flexible="1+")
class AlterClientQuotasResponse:
    throttle_time_ms: int = Int32("0+")
    entries: tuple[ResponseEntryData, ...] = Array(ResponseEntryData, "0+")

"""DescribeClientQuotas (48): which client quotas match a filter?

v1 flexible (KIP-546)
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Float64, Int8, Int16, Int32, String, message, struct


@struct
class ComponentData:
    entity_type: str = String("0+")
    match_type: int = Int8("0+")
    match: str | None = String("0+", nullable="0+")


@message(api_key=48, valid="0-1", flexible="1+", listeners="broker")
class DescribeClientQuotasRequest:
    components: tuple[ComponentData, ...] = Array(ComponentData, "0+")
    strict: bool = Bool("0+")


@struct
class EntityData:
    entity_type: str = String("0+")
    entity_name: str | None = String("0+", nullable="0+")


@struct
class ValueData:
    key: str = String("0+")
    value: float = Float64("0+")


@struct
class EntryData:
    entity: tuple[EntityData, ...] = Array(EntityData, "0+")
    values: tuple[ValueData, ...] = Array(ValueData, "0+")


@message(api_key=48, valid="0-1", flexible="1+")
class DescribeClientQuotasResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", nullable="0+")
    entries: tuple[EntryData, ...] | None = Array(EntryData, "0+", nullable="0+")

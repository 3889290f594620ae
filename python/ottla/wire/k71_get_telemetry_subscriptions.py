"""GetTelemetrySubscriptions (71): which metrics does the cluster want from this client?

v0 (KIP-714). Advertised only where something takes the metrics.
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Int8, Int16, Int32, String, Uuid, message


@message(api_key=71, valid="0", flexible="0+", listeners="broker")
class GetTelemetrySubscriptionsRequest:
    client_instance_id: bytes = Uuid("0+")


@message(api_key=71, valid="0", flexible="0+")
class GetTelemetrySubscriptionsResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("0+")
    client_instance_id: bytes = Uuid("0+")
    subscription_id: int = Int32("0+")
    accepted_compression_types: tuple[int, ...] = Array(Int8(), "0+")
    push_interval_ms: int = Int32("0+")
    telemetry_max_bytes: int = Int32("0+")
    delta_temporality: bool = Bool("0+")
    requested_metrics: tuple[str, ...] = Array(String(), "0+")

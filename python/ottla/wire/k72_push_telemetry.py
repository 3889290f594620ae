"""PushTelemetry (72): a client sends its metrics.

v0 (KIP-714). The metrics are OTLP, compressed. Advertised as GetTelemetrySubscriptions is.
"""

from __future__ import annotations

from ottla.wire.schema import Bool, Bytes, Int8, Int16, Int32, Uuid, message


@message(api_key=72, valid="0", flexible="0+", listeners="broker")
class PushTelemetryRequest:
    client_instance_id: bytes = Uuid("0+")
    subscription_id: int = Int32("0+")
    terminating: bool = Bool("0+")
    compression_type: int = Int8("0+")
    metrics: bytes = Bytes("0+")


@message(api_key=72, valid="0", flexible="0+")
class PushTelemetryResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("0+")

"""UnregisterBroker (64): remove the registration of a broker.

v0 (KIP-631)
"""

from __future__ import annotations

from ottla.wire.schema import Int16, Int32, String, message


@message(api_key=64, valid="0", flexible="0+", listeners="broker,controller")
class UnregisterBrokerRequest:
    broker_id: int = Int32("0+")


@message(api_key=64, valid="0", flexible="0+")
class UnregisterBrokerResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", nullable="0+")

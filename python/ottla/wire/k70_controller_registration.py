"""ControllerRegistration (70): a controller registers itself with the active controller.

v0 (KIP-919)
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Int16, Int32, String, Uint16, Uuid, message, struct


@struct
class Listener:
    name: str = String("0+")
    host: str = String("0+")
    port: int = Uint16("0+")
    security_protocol: int = Int16("0+")


@struct
class Feature:
    name: str = String("0+")
    min_supported_version: int = Int16("0+")
    max_supported_version: int = Int16("0+")


@message(api_key=70, valid="0", flexible="0+", listeners="controller")
class ControllerRegistrationRequest:
    controller_id: int = Int32("0+")
    incarnation_id: bytes = Uuid("0+")
    zk_migration_ready: bool = Bool("0+")
    listeners: tuple[Listener, ...] = Array(Listener, "0+")
    features: tuple[Feature, ...] = Array(Feature, "0+")


@message(api_key=70, valid="0", flexible="0+")
class ControllerRegistrationResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", nullable="0+")

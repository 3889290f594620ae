"""BrokerRegistration (62): a broker registers itself with the controller.

v1 ZK field (dead) · v2 log dirs (KIP-858) · v3 previous broker epoch (KIP-966) · v4 features with min 0
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Int16, Int32, Int64, String, Uint16, Uuid, message, struct


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


@message(api_key=62, valid="0-4", flexible="0+", listeners="controller")
class BrokerRegistrationRequest:
    broker_id: int = Int32("0+")
    cluster_id: str = String("0+")
    incarnation_id: bytes = Uuid("0+")
    listeners: tuple[Listener, ...] = Array(Listener, "0+")
    features: tuple[Feature, ...] = Array(Feature, "0+")
    rack: str | None = String("0+", nullable="0+")
    is_migrating_zk_broker: bool = Bool("1+")
    log_dirs: tuple[bytes, ...] = Array(Uuid(), "2+", ignorable=True)
    previous_broker_epoch: int = Int64("3+", default=-1, ignorable=True)


@message(api_key=62, valid="0-4", flexible="0+")
class BrokerRegistrationResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("0+")
    broker_epoch: int = Int64("0+", default=-1)

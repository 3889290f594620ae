"""ApiVersions (18): which APIs in which versions, and which features, does this broker speak?

v1 throttle · v3 flexible body + client software name/version (KIP-511), answer header stays v0 · v4 features may have
min version 0 · v5 cluster id + node id check, REBOOTSTRAP_REQUIRED (KIP-1242)

A version too new is answered in v0, with UNSUPPORTED_VERSION and the range of this key.
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Int16, Int32, Int64, String, message, struct


@message(api_key=18, valid="0-5", flexible="3+", listeners="broker,controller")
class ApiVersionsRequest:
    client_software_name: str = String("3+", ignorable=True)
    client_software_version: str = String("3+", ignorable=True)
    cluster_id: str | None = String("5+", default=None, nullable="5+", ignorable=True)
    node_id: int = Int32("5+", default=-1, ignorable=True)


@struct
class ApiVersion:
    api_key: int = Int16("0+")
    min_version: int = Int16("0+")
    max_version: int = Int16("0+")


@struct
class SupportedFeatureKey:
    name: str = String("3+")
    min_version: int = Int16("3+")
    max_version: int = Int16("3+")


@struct
class FinalizedFeatureKey:
    name: str = String("3+")
    max_version_level: int = Int16("3+")
    min_version_level: int = Int16("3+")


@message(api_key=18, valid="0-5", flexible="3+")
class ApiVersionsResponse:
    error_code: int = Int16("0+")
    api_keys: tuple[ApiVersion, ...] = Array(ApiVersion, "0+")
    throttle_time_ms: int = Int32("1+", ignorable=True)
    supported_features: tuple[SupportedFeatureKey, ...] = Array(
        SupportedFeatureKey, "3+", tag=0, tagged="3+", ignorable=True
    )
    finalized_features_epoch: int = Int64("3+", default=-1, tag=1, tagged="3+", ignorable=True)
    finalized_features: tuple[FinalizedFeatureKey, ...] = Array(
        FinalizedFeatureKey, "3+", tag=2, tagged="3+", ignorable=True
    )
    zk_migration_ready: bool = Bool("3+", tag=3, tagged="3+", ignorable=True)

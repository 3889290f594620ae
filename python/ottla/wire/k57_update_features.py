"""UpdateFeatures (57): raise or lower the finalised levels of features.

v1 validate only, upgrade type · v2 answer without per-feature results
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Int8, Int16, Int32, String, message, struct


@struct
class FeatureUpdateKey:
    feature: str = String("0+")
    max_version_level: int = Int16("0+")
    allow_downgrade: bool = Bool("0")
    upgrade_type: int = Int8("1+", default=1)


@message(api_key=57, valid="0-2", flexible="0+", listeners="broker,controller")
class UpdateFeaturesRequest:
    timeout_ms: int = Int32("0+", default=60000, name="timeoutMs")
    feature_updates: tuple[FeatureUpdateKey, ...] = Array(FeatureUpdateKey, "0+")
    validate_only: bool = Bool("1+")


@struct
class UpdatableFeatureResult:
    feature: str = String("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", nullable="0+")


@message(api_key=57, valid="0-2", flexible="0+")
class UpdateFeaturesResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", nullable="0+")
    results: tuple[UpdatableFeatureResult, ...] = Array(UpdatableFeatureResult, "0-1", ignorable=True)

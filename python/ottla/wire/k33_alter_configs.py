"""AlterConfigs (33): replace the whole configuration of resources; superseded by IncrementalAlterConfigs.

v2 flexible
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Int8, Int16, Int32, String, message, struct


@struct
class AlterableConfig:
    name: str = String("0+")
    value: str | None = String("0+", nullable="0+")


@struct
class AlterConfigsResource:
    resource_type: int = Int8("0+")
    resource_name: str = String("0+")
    configs: tuple[AlterableConfig, ...] = Array(AlterableConfig, "0+")


@message(api_key=33, valid="0-2", flexible="2+", listeners="broker,controller")
class AlterConfigsRequest:
    resources: tuple[AlterConfigsResource, ...] = Array(AlterConfigsResource, "0+")
    validate_only: bool = Bool("0+")


@struct
class AlterConfigsResourceResponse:
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", nullable="0+")
    resource_type: int = Int8("0+")
    resource_name: str = String("0+")


@message(api_key=33, valid="0-2", flexible="2+")
class AlterConfigsResponse:
    throttle_time_ms: int = Int32("0+")
    responses: tuple[AlterConfigsResourceResponse, ...] = Array(AlterConfigsResourceResponse, "0+")

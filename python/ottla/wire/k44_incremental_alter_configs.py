"""IncrementalAlterConfigs (44): set, delete, append to or subtract from single configurations of resources.

v1 flexible

Operations: 0 set, 1 delete, 2 append, 3 subtract.
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Int8, Int16, Int32, String, message, struct


@struct
class AlterableConfig:
    name: str = String("0+")
    config_operation: int = Int8("0+")
    value: str | None = String("0+", nullable="0+")


@struct
class AlterConfigsResource:
    resource_type: int = Int8("0+")
    resource_name: str = String("0+")
    configs: tuple[AlterableConfig, ...] = Array(AlterableConfig, "0+")


@message(api_key=44, valid="0-1", flexible="1+", listeners="broker,controller")
class IncrementalAlterConfigsRequest:
    resources: tuple[AlterConfigsResource, ...] = Array(AlterConfigsResource, "0+")
    validate_only: bool = Bool("0+")


@struct
class AlterConfigsResourceResponse:
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", nullable="0+")
    resource_type: int = Int8("0+")
    resource_name: str = String("0+")


@message(api_key=44, valid="0-1", flexible="1+")
class IncrementalAlterConfigsResponse:
    throttle_time_ms: int = Int32("0+")
    responses: tuple[AlterConfigsResourceResponse, ...] = Array(AlterConfigsResourceResponse, "0+")

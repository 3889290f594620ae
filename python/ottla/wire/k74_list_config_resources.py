"""ListConfigResources (74): which resources have configurations?

v0 lists client-metrics only · v1 resource types filter (KIP-1142)
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int8, Int16, Int32, String, message, struct


@message(api_key=74, valid="0-1", flexible="0+", listeners="broker")
class ListConfigResourcesRequest:
    resource_types: tuple[int, ...] = Array(Int8(), "1+")


@struct
class ConfigResource:
    resource_name: str = String("0+")
    resource_type: int = Int8("1+", default=16, ignorable=True)


@message(api_key=74, valid="0-1", flexible="0+")
class ListConfigResourcesResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("0+")
    config_resources: tuple[ConfigResource, ...] = Array(ConfigResource, "0+")

"""DescribeConfigs (32): the configuration of topics, brokers and other resources, and where each value comes from.

v1 synonyms + source (KIP-226) · v3 type + documentation · v4 flexible
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Int8, Int16, Int32, String, message, struct


@struct
class DescribeConfigsResource:
    resource_type: int = Int8("0+")
    resource_name: str = String("0+")
    configuration_keys: tuple[str, ...] | None = Array(String(), "0+", nullable="0+")


@message(api_key=32, valid="1-4", flexible="4+", listeners="broker,controller")
class DescribeConfigsRequest:
    resources: tuple[DescribeConfigsResource, ...] = Array(DescribeConfigsResource, "0+")
    include_synonyms: bool = Bool("1+")
    include_documentation: bool = Bool("3+")


@struct
class DescribeConfigsSynonym:
    name: str = String("1+")
    value: str | None = String("1+", nullable="0+")
    source: int = Int8("1+")


@struct
class DescribeConfigsResourceResult:
    name: str = String("0+")
    value: str | None = String("0+", nullable="0+")
    read_only: bool = Bool("0+")
    config_source: int = Int8("1+", default=-1, ignorable=True)
    is_sensitive: bool = Bool("0+")
    synonyms: tuple[DescribeConfigsSynonym, ...] = Array(DescribeConfigsSynonym, "1+", ignorable=True)
    config_type: int = Int8("3+", ignorable=True)
    documentation: str | None = String("3+", nullable="0+", ignorable=True)


@struct
class DescribeConfigsResult:
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", nullable="0+")
    resource_type: int = Int8("0+")
    resource_name: str = String("0+")
    configs: tuple[DescribeConfigsResourceResult, ...] = Array(DescribeConfigsResourceResult, "0+")


@message(api_key=32, valid="1-4", flexible="4+")
class DescribeConfigsResponse:
    throttle_time_ms: int = Int32("0+")
    results: tuple[DescribeConfigsResult, ...] = Array(DescribeConfigsResult, "0+")

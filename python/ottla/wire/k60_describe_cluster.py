"""DescribeCluster (60): the brokers (or controllers) and the id of the cluster.

v1 endpoint type 1 broker 2 controller (KIP-919) · v2 fenced brokers (KIP-1073)
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Int8, Int16, Int32, String, message, struct


@message(api_key=60, valid="0-2", flexible="0+", listeners="broker,controller")
class DescribeClusterRequest:
    include_cluster_authorized_operations: bool = Bool("0+")
    endpoint_type: int = Int8("1+", default=1)
    include_fenced_brokers: bool = Bool("2+")


@struct
class DescribeClusterBroker:
    broker_id: int = Int32("0+")
    host: str = String("0+")
    port: int = Int32("0+")
    rack: str | None = String("0+", default=None, nullable="0+")
    is_fenced: bool = Bool("2+")


@message(api_key=60, valid="0-2", flexible="0+")
class DescribeClusterResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", default=None, nullable="0+")
    endpoint_type: int = Int8("1+", default=1)
    cluster_id: str = String("0+")
    controller_id: int = Int32("0+", default=-1)
    brokers: tuple[DescribeClusterBroker, ...] = Array(DescribeClusterBroker, "0+")
    cluster_authorized_operations: int = Int32("0+", default=-2147483648)

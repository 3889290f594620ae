"""DescribeLogDirs (35), v1-5: the log directories of this broker, what is in them and how large it is.

Needs Describe on the cluster; else CLUSTER_AUTHORIZATION_FAILED at the top (v3+) and nothing else. Null topics are all
of them. A directory that failed is listed with KAFKA_STORAGE_ERROR.
"""

from __future__ import annotations

from collections.abc import Container

from ottla.api.broker import Broker, LogDirView
from ottla.api.context import RequestContext
from ottla.errors import ErrorCode
from ottla.security.authorizer import Operation
from ottla.wire.k35_describe_log_dirs import (
    DescribeLogDirsPartition,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
    DescribeLogDirsTopic,
)

__all__ = ["describe_log_dirs"]


async def describe_log_dirs(
    request: DescribeLogDirsRequest, context: RequestContext, broker: Broker
) -> DescribeLogDirsResponse:
    """See the module."""
    if not context.authorize(Operation.DESCRIBE):
        return DescribeLogDirsResponse(error_code=ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
    wanted: set[tuple[str, int]] | None = None
    if request.topics is not None:
        wanted = {(topic.topic, partition) for topic in request.topics for partition in topic.partitions}
    registration = broker.metadata.image.brokers.get(broker.node_id)
    cordoned: Container[bytes] = () if registration is None else registration.cordoned_log_dirs or ()
    directories = await broker.log_dirs.describe()
    return DescribeLogDirsResponse(results=tuple(_described(each, wanted, cordoned) for each in directories))


def _described(
    directory: LogDirView, wanted: set[tuple[str, int]] | None, cordoned: Container[bytes]
) -> DescribeLogDirsResult:
    if not directory.online:
        return DescribeLogDirsResult(error_code=ErrorCode.KAFKA_STORAGE_ERROR, log_dir=directory.path)
    topics: dict[str, list[DescribeLogDirsPartition]] = {}
    for log in directory.logs:
        if wanted is None or (log.topic, log.partition) in wanted:
            topics.setdefault(log.topic, []).append(
                DescribeLogDirsPartition(
                    partition_index=log.partition,
                    partition_size=log.size_bytes,
                    offset_lag=log.offset_lag,
                    is_future_key=log.is_future,
                )
            )
    return DescribeLogDirsResult(
        log_dir=directory.path,
        topics=tuple(
            DescribeLogDirsTopic(name=name, partitions=tuple(partitions)) for name, partitions in sorted(topics.items())
        ),
        total_bytes=directory.total_bytes,
        usable_bytes=directory.usable_bytes,
        is_cordoned=directory.directory_id in cordoned,
    )

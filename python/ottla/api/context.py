"""What every handler knows beside the request: who asks, from where, by which listener, and what that one may do.

Prior art: Kafka's ``RequestContext`` and ``AuthHelper``. Ours carries the authoriser, so that a handler's first line
can say what it refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar, final

from ottla.security.authorizer import CLUSTER, Authorizer, Operation, Principal, Resource, ResourceType

__all__ = ["RequestContext"]

T = TypeVar("T")


@final
class RequestContext(NamedTuple):
    """Stamped once when a request is passed up; never changes. A tuple, since each request makes one."""

    api_key: int
    api_version: int
    client_id: str | None
    listener: str
    """Name of the listener the connection came in on; answers advertise endpoints of this one."""
    principal: Principal
    host: str
    """Address of the client, without port."""
    connection_id: int
    local_host: str
    """The address the client connected by, advertised where the listener leaves it open."""
    local_port: int
    arrived_ms: int
    """Monotonic milliseconds when the data plane read the frame."""
    authorizer: Authorizer
    asks_leave: bool = False
    """``LEAVE`` is an answer: see ``Leave`` of ``ottla.coordinator.machine``."""

    def authorize(self, operation: Operation, resource: Resource = CLUSTER) -> bool:
        """May the caller do this?"""
        return self.authorizer.allows(self.principal, self.host, operation, resource)

    def authorize_topic(self, operation: Operation, name: str) -> bool:
        """May the caller do this to the topic?"""
        return self.authorizer.allows(self.principal, self.host, operation, Resource(ResourceType.TOPIC, name))

    def split(
        self, items: Iterable[T], operation: Operation, resource_of: Callable[[T], Resource]
    ) -> tuple[list[T], list[T]]:
        """The items that the caller may do this to, and those that it may not, each in order."""
        allowed: list[T] = []
        refused: list[T] = []
        for item in items:
            (allowed if self.authorize(operation, resource_of(item)) else refused).append(item)
        return allowed, refused

    def operations(self, supported: Iterable[Operation], resource: Resource) -> int:
        """The bit field of authorised operations, as Metadata and DescribeCluster report it."""
        return sum(1 << operation for operation in supported if self.authorize(operation, resource))

"""What answers say of brokers and partitions: who is reachable on the caller's listener, and who leads."""

from __future__ import annotations

from typing import NamedTuple

from ottla.api.broker import Broker
from ottla.api.context import RequestContext
from ottla.errors import ErrorCode
from ottla.ids import NO_LEADER
from ottla.metadata.image import LEADER, Image, Partition
from ottla.records.cluster_metadata import RegisterBrokerRecord

__all__ = ["Reachable", "brokers_on", "leader_on", "reachable"]


class Reachable(NamedTuple):
    """A broker as the caller may reach it."""

    broker_id: int
    host: str
    port: int
    rack: str | None
    fenced: bool


def reachable(registration: RegisterBrokerRecord, context: RequestContext, broker: Broker) -> Reachable | None:
    """The address of a broker on the caller's listener; None when it has none there."""
    for end in registration.end_points:
        if end.name == context.listener:
            host, port = end.host, end.port
            if registration.broker_id == broker.node_id and end.name not in broker.advertised_listeners:
                host, port = context.local_host, context.local_port
            return Reachable(registration.broker_id, host, port, registration.rack, registration.fenced)
    return None


def brokers_on(image: Image, context: RequestContext, broker: Broker, *, fenced: bool = False) -> list[Reachable]:
    """Brokers with an address on the caller's listener, by id; the fenced ones only when asked for."""
    found = (
        reachable(image.brokers[broker_id], context, broker)
        for broker_id in sorted(image.brokers)
        if fenced or not image.brokers[broker_id].fenced
    )
    return [each for each in found if each is not None]


def leader_on(
    image: Image, partition: Partition, context: RequestContext, broker: Broker, *, listener_error: bool = True
) -> tuple[int, ErrorCode]:
    """The leader that the caller can reach, or -1 and why there is none: nobody leads, or not on this listener."""
    leader = partition[LEADER]
    registration = image.brokers.get(leader)
    if registration is None or registration.fenced:
        return NO_LEADER, ErrorCode.LEADER_NOT_AVAILABLE
    if reachable(registration, context, broker) is None:
        return NO_LEADER, ErrorCode.LISTENER_NOT_FOUND if listener_error else ErrorCode.LEADER_NOT_AVAILABLE
    return leader, ErrorCode.NONE

"""Brokers and controllers come and go: registration, fencing, controlled shutdown.

Prior art: Kafka's ``ClusterControlManager`` and ``ReplicationControlManager.handleBroker…``. Ours decides from the
image alone; who is heard from is the caller's to know. In one process broker and controller live and die together, and
the lock of the data directory says that the former incarnation is dead: so nobody waits for its session to end.

Invariants: the epoch of a broker is the offset its registration was decided at; a new incarnation starts fenced; one
that did not stop cleanly leaves every ISR before it is registered again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, final

from ottla.controller.configs import effective_min_isr
from ottla.controller.decision import Decision, Refused
from ottla.controller.elections import NOBODY, Rules, eligible_leader_replicas_enabled, leader_and_isr_changes
from ottla.controller.topics import active
from ottla.errors import ErrorCode
from ottla.ids import NO_LEADER, is_reserved
from ottla.metadata.features import SUPPORTED
from ottla.metadata.image import (
    ELIGIBLE_LEADER_REPLICAS,
    ISR,
    LEADER,
    RESOURCE_BROKER,
    RESOURCE_TOPIC,
    Image,
    Partition,
)
from ottla.records import cluster_metadata as r

__all__ = [
    "ControllerRegistration",
    "Registration",
    "begin_shutdown",
    "fence",
    "register_broker",
    "register_controller",
    "unfence",
]

UNFENCED: Final = -1
FENCED: Final = 1
REGISTER_CONTROLLER_FROM: Final = 15
DIRECTORIES_FROM: Final = 17
CORDONED_FROM: Final = 30


@final
@dataclass(slots=True, frozen=True)
class Registration:
    """What a broker says of itself."""

    broker_id: int
    incarnation_id: bytes
    endpoints: tuple[tuple[str, str, int, int], ...]
    """(listener, host, port, security protocol)"""
    directory_ids: tuple[bytes, ...]
    rack: str | None
    previous_epoch: int
    """Its epoch when it stopped cleanly; -1 when it did not, or never ran."""


@final
@dataclass(slots=True, frozen=True)
class ControllerRegistration:
    """What a controller says of itself."""

    controller_id: int
    incarnation_id: bytes
    endpoints: tuple[tuple[str, str, int, int], ...]


def register_broker(image: Image, registration: Registration, next_offset: int, static_min_isr: str) -> Decision[int]:
    """Records for a new incarnation, fenced; the answer is its epoch. Raises Refused as Kafka words it."""
    if image.metadata_version >= DIRECTORIES_FROM:
        _check_directories(image, registration)
    records: list[object] = []
    known = image.brokers.get(registration.broker_id)
    if known is not None and registration.previous_epoch != known.broker_epoch:
        records += unclean_shutdown(image, registration.broker_id, static_min_isr)
    records.append(
        r.RegisterBrokerRecord(
            broker_id=registration.broker_id,
            incarnation_id=registration.incarnation_id,
            broker_epoch=next_offset,
            end_points=tuple(
                r.BrokerEndpoint(name=name, host=host, port=port, security_protocol=protocol)
                for name, host, port, protocol in registration.endpoints
            ),
            features=tuple(
                r.BrokerFeature(name=name, min_supported_version=low, max_supported_version=high)
                for name, (low, high) in SUPPORTED.items()
            ),
            rack=registration.rack,
            fenced=True,
            log_dirs=registration.directory_ids if image.metadata_version >= DIRECTORIES_FROM else (),
        )
    )
    return Decision(records, next_offset, atomic=False)


def _check_directories(image: Image, registration: Registration) -> None:
    directories = registration.directory_ids
    if not directories:
        raise Refused(ErrorCode.INVALID_REGISTRATION, "No directories specified in request")
    if any(is_reserved(directory) for directory in directories):
        raise Refused(ErrorCode.INVALID_REGISTRATION, "Reserved directory ID in request")
    if len(set(directories)) != len(directories):
        raise Refused(ErrorCode.INVALID_REGISTRATION, "Duplicate directory ID in request")
    for broker in image.brokers.values():
        if broker.broker_id != registration.broker_id and not set(directories).isdisjoint(broker.log_dirs):
            raise Refused(
                ErrorCode.INVALID_REGISTRATION, f"Broker {broker.broker_id} is already registered with directory"
            )


def unfence(image: Image, broker_id: int, static_min_isr: str) -> Decision[None]:
    """The broker is up: unfenced, and leader of what nobody leads and it may."""
    broker = image.brokers[broker_id]
    if not broker.fenced:
        return Decision([], None)
    records: list[object] = [
        r.BrokerRegistrationChangeRecord(broker_id=broker_id, broker_epoch=broker.broker_epoch, fenced=UNFENCED)
    ]
    rules = _rules(image, static_min_isr, lambda replica: replica == broker_id or active(image, replica))
    records += leader_and_isr_changes(image, rules, lambda partition: partition[LEADER] == NO_LEADER)
    if broker.cordoned_log_dirs is None and image.metadata_version >= CORDONED_FROM:
        records.append(
            r.BrokerRegistrationChangeRecord(
                broker_id=broker_id, broker_epoch=broker.broker_epoch, cordoned_log_dirs=()
            )
        )
    return Decision(records, None, atomic=False)


def begin_shutdown(image: Image, broker_id: int, static_min_isr: str) -> Decision[None]:
    """The broker wants to stop: it leaves every ISR and leads nothing."""
    broker = image.brokers[broker_id]
    if broker.fenced or broker.in_controlled_shutdown:
        return Decision([], None)
    records: list[object] = [
        r.BrokerRegistrationChangeRecord(
            broker_id=broker_id, broker_epoch=broker.broker_epoch, in_controlled_shutdown=1
        )
    ]
    records += _leave(image, broker_id, static_min_isr)
    return Decision(records, None, atomic=False)


def fence(image: Image, broker_id: int, static_min_isr: str) -> Decision[None]:
    """The broker is not heard from, or has stopped: what it led is led by others or nobody, then it is fenced."""
    broker = image.brokers[broker_id]
    if broker.fenced:
        return Decision([], None)
    records: list[object] = [
        *_leave(image, broker_id, static_min_isr),
        r.BrokerRegistrationChangeRecord(broker_id=broker_id, broker_epoch=broker.broker_epoch, fenced=FENCED),
    ]
    return Decision(records, None, atomic=False)


def unclean_shutdown(image: Image, broker_id: int, static_min_isr: str) -> Iterator[object]:
    """The broker may have lost data: out of every ISR and ELR (KIP-966). Without ELR a sole member stays."""
    rules = _rules(
        image, static_min_isr, lambda replica: replica != broker_id and active(image, replica), shut_down=broker_id
    )
    return leader_and_isr_changes(
        image,
        rules,
        lambda partition: broker_id in partition[ISR] or broker_id in partition[ELIGIBLE_LEADER_REPLICAS],
        leaving=broker_id,
    )


def _leave(image: Image, broker_id: int, static_min_isr: str) -> Iterator[object]:
    rules = _rules(image, static_min_isr, lambda replica: replica != broker_id and active(image, replica))

    def concerns(partition: Partition) -> bool:
        return broker_id in partition[ISR]

    return leader_and_isr_changes(image, rules, concerns, leaving=broker_id)


def _rules(
    image: Image, static_min_isr: str, acceptable: Callable[[int], bool], shut_down: int = NOBODY
) -> Callable[[str], Rules]:
    elr = eligible_leader_replicas_enabled(image)

    def of_topic(topic: str) -> Rules:
        return Rules(
            acceptable=acceptable,
            min_isr=effective_min_isr(image, topic, static_min_isr),
            eligible_leader_replicas=elr,
            unclean=unclean_election_enabled(image, topic),
            shut_down_uncleanly=shut_down,
        )

    return of_topic


def unclean_election_enabled(image: Image, topic: str) -> bool:
    """unclean.leader.election.enable, as the topic or the cluster sets it dynamically."""
    name = "unclean.leader.election.enable"
    value = image.config(RESOURCE_TOPIC, topic).get(name) or image.config(RESOURCE_BROKER, "").get(name) or "false"
    return value.lower() == "true"


def register_controller(image: Image, registration: ControllerRegistration) -> Decision[None]:
    """A new incarnation of a controller (KIP-919)."""
    known = image.controllers.get(registration.controller_id)
    if image.metadata_version < REGISTER_CONTROLLER_FROM or (
        known is not None and known.incarnation_id == registration.incarnation_id
    ):
        return Decision([], None)
    record = r.RegisterControllerRecord(
        controller_id=registration.controller_id,
        incarnation_id=registration.incarnation_id,
        zk_migration_ready=False,
        end_points=tuple(
            r.ControllerEndpoint(name=name, host=host, port=port, security_protocol=protocol)
            for name, host, port, protocol in registration.endpoints
        ),
        features=tuple(
            r.ControllerFeature(name=name, min_supported_version=low, max_supported_version=high)
            for name, (low, high) in SUPPORTED.items()
        ),
    )
    return Decision([record], None)

"""Who leads a partition when brokers come and go, and what its ISR becomes.

Prior art: Kafka's ``PartitionChangeBuilder`` and ``ReplicationControlManager.generateLeaderAndIsrUpdates`` (KIP-631,
KIP-966). Ours is one function of a partition, the ISR that is wanted, and who may lead.

Invariants: the present leader stays while it is acceptable; without eligible leader replicas an ISR never becomes
empty; an unclean leader is alone in the ISR and recovering; no record when nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, final

from ottla.ids import NO_LEADER
from ottla.metadata.features import ELIGIBLE_LEADER_REPLICAS as ELR_FEATURE
from ottla.metadata.image import ELIGIBLE_LEADER_REPLICAS as ELR
from ottla.metadata.image import (
    ISR,
    LAST_KNOWN_ELR,
    LEADER,
    LEADER_RECOVERY_STATE,
    RECOVERING,
    REPLICAS,
    Image,
    Partition,
)
from ottla.records.cluster_metadata import PartitionChangeRecord

__all__ = ["Rules", "change", "leader_and_isr_changes"]

NOBODY: Final = -1
_NO_CHANGE: Final = -2
_RECOVERY_UNCHANGED: Final = -1


@final
@dataclass(slots=True, frozen=True)
class Rules:
    """What an election of one partition goes by."""

    acceptable: Callable[[int], bool]
    """May this broker lead now?"""
    min_isr: int
    eligible_leader_replicas: bool
    unclean: bool = False
    """May a replica outside the ISR lead rather than nobody?"""
    shut_down_uncleanly: int = NOBODY
    """A broker that may have lost what it had: it leaves ISR and ELR."""


def change(
    topic_id: bytes, partition_id: int, partition: Partition, target_isr: tuple[int, ...], rules: Rules
) -> PartitionChangeRecord | None:
    """The record that gives the partition ``target_isr`` and the best leader; None when that is how it is."""
    isr, leader, elr, last_known = partition[ISR], partition[LEADER], partition[ELR], partition[LAST_KNOWN_ELR]
    target_elr = _target_elr(partition, target_isr, rules)
    new_leader, unclean = _elect(partition, target_isr, target_elr, rules)
    assert new_leader in (NO_LEADER, *partition[REPLICAS])
    if new_leader != leader and (unclean or new_leader in target_elr):
        target_isr = (new_leader,)
        target_elr = () if unclean else tuple(replica for replica in target_elr if replica != new_leader)
    new_isr = target_isr if target_isr or rules.eligible_leader_replicas else isr
    new_last_known = last_known
    if rules.eligible_leader_replicas and new_leader != leader:
        new_last_known = () if new_leader != NO_LEADER else last_known or (leader,)
    recovers = unclean and new_leader != leader and partition[LEADER_RECOVERY_STATE] != RECOVERING
    if not recovers and (new_isr, new_leader, target_elr, new_last_known) == (isr, leader, elr, last_known):
        return None
    return PartitionChangeRecord(
        partition_id=partition_id,
        topic_id=topic_id,
        isr=None if new_isr == isr else new_isr,
        leader=_NO_CHANGE if new_leader == leader else new_leader,
        leader_recovery_state=RECOVERING if recovers else _RECOVERY_UNCHANGED,
        eligible_leader_replicas=None if target_elr == elr else target_elr,
        last_known_elr=None if new_last_known == last_known else new_last_known,
    )


def _target_elr(partition: Partition, target_isr: tuple[int, ...], rules: Rules) -> tuple[int, ...]:
    """Who may lead beside the ISR: those who left it while it was below min ISR, and did not crash."""
    if not rules.eligible_leader_replicas or len(target_isr) >= min(rules.min_isr, len(partition[REPLICAS])):
        return ()
    former = (*partition[ELR], *partition[ISR])
    return tuple(r for r in dict.fromkeys(former) if r not in target_isr and r != rules.shut_down_uncleanly)


def _elect(
    partition: Partition, target_isr: tuple[int, ...], target_elr: tuple[int, ...], rules: Rules
) -> tuple[int, bool]:
    """(leader or -1, was the election unclean)"""
    candidates = target_isr or target_elr
    if partition[LEADER] in candidates and rules.acceptable(partition[LEADER]):
        return partition[LEADER], False
    for replica in partition[REPLICAS]:
        if replica in candidates and rules.acceptable(replica):
            return replica, False
    last_known = partition[LAST_KNOWN_ELR]
    if rules.eligible_leader_replicas and not candidates and len(last_known) == 1 and rules.acceptable(last_known[0]):
        return last_known[0], True
    if rules.unclean:
        for replica in partition[REPLICAS]:
            if rules.acceptable(replica):
                return replica, True
    return NO_LEADER, False


def leader_and_isr_changes(
    image: Image,
    rules_of: Callable[[str], Rules],
    concerns: Callable[[Partition], bool],
    leaving: int = NOBODY,
) -> Iterator[PartitionChangeRecord]:
    """A record for each partition that ``concerns`` picks and that changes when ``leaving`` is no longer in any ISR.
    Lazy, topic by topic in the order of names, so that a long run can be cut into slices."""
    for name in sorted(image.topics.id_of):
        topic = image.topics.by_id[image.topics.id_of[name]]
        rules = rules_of(name)
        for index, partition in enumerate(topic.partitions):
            if concerns(partition):
                target_isr = tuple(replica for replica in partition[ISR] if replica != leaving)
                record = change(topic.topic_id, index, partition, target_isr, rules)
                if record is not None:
                    yield record


def eligible_leader_replicas_enabled(image: Image) -> bool:
    """Is KIP-966 on in this cluster?"""
    return image.features.get(ELR_FEATURE, 0) >= 1

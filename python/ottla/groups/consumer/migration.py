"""A group moves from one protocol to the other with its members in it: what it was, as records of what it becomes.

Upwards when a member of the new protocol joins a classic group, downwards when the last one is gone. Members are not
told; classic ones see a rebalance.

Prior art: Kafka's ``ConsumerGroup.fromClassicGroup`` and ``ClassicGroup.fromConsumerGroup``. Ours tolerates a leader
that gave a partition to two members, which stops Kafka at an exception: the first one keeps it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from ottla.coordinator.machine import CoordinatorError, Now, Record
from ottla.errors import ErrorCode
from ottla.groups.assignors.spec import NOTHING, Assignment
from ottla.groups.classic.group import ClassicGroup
from ottla.groups.classic.member import Member as ClassicMember
from ottla.groups.classic.member import Protocols
from ottla.groups.consumer.config import ConsumerConfig
from ottla.groups.consumer.embedded import (
    PROTOCOL_TYPE,
    ids_of_partitions,
    read_assignment,
    read_subscription,
    write_assignment,
)
from ottla.groups.consumer.group import ConsumerGroup
from ottla.groups.consumer.member import Member
from ottla.groups.consumer.records import (
    current_record,
    epoch_record,
    group_tombstones,
    member_record,
    target_epoch_record,
    target_record,
)
from ottla.groups.consumer.state import apply_to
from ottla.groups.consumer.topics import TopicHashes, Topics
from ottla.groups.standing import Standings
from ottla.records.consumer_offsets import (
    ClassicMemberMetadata,
    ClassicProtocol,
    GroupMetadataValue,
)
from ottla.wire.k11_join_group import JoinGroupRequestProtocol

__all__ = ["Downgrade", "downgrade", "may_downgrade", "upgrade"]


class Downgrade(NamedTuple):
    """A classic group that takes the place of a consumer group."""

    tombstones: list[Record]
    value: GroupMetadataValue
    protocols: Mapping[str, Protocols]
    """What each member supports; the value has only what was chosen."""


# Upwards.


def upgrade(classic: ClassicGroup, config: ConsumerConfig, hashes: TopicHashes) -> tuple[ConsumerGroup, list[Record]]:
    """A classic group with members as a consumer group, and the records that make it one, but for its tombstone. Raises
    CoordinatorError GROUP_ID_NOT_FOUND, with the reason why it may not be one."""
    _require_upgradable(classic, config)
    group = ConsumerGroup(classic.group_id)
    try:
        members, targets = _members(classic, hashes.topics)
    except ValueError as error:
        raise _not_upgradable(classic, "because the embedded consumer protocol is malformed.") from error
    group_id, generation = classic.group_id, classic.generation
    # Without a generation there is no target either: whoever comes next makes one.
    epoch = generation if classic.protocol is not None else generation + 1
    names = {name for member in members for name in member.topic_names}
    records: list[Record] = []
    records += (member_record(group_id, member) for member in members)
    # What the leader did not know of, new partitions perhaps, nobody has: the hash says that there is something new.
    # Kafka takes the leader's word, and such partitions wait until something else happens.
    metadata_hash = hashes.of_group(names) if _covers(targets.values(), names, hashes.topics) else 0
    records.append(epoch_record(group_id, epoch, metadata_hash))
    records += (target_record(group_id, member_id, target) for member_id, target in targets.items())
    records.append(target_epoch_record(group_id, generation, 0))
    records += (current_record(group_id, member) for member in members)
    for record in records:
        apply_to(group, record)
    return group, records


def _covers(targets: Iterable[Assignment], names: Iterable[str], topics: Topics) -> bool:
    """Has every partition of these topics been given to somebody?"""
    given: dict[bytes, int] = {}
    for target in targets:
        for topic_id, partitions in target.items():
            given[topic_id] = given.get(topic_id, 0) + len(partitions)
    known = (topic for topic in map(topics.named, names) if topic is not None)
    return all(given.get(topic.topic_id, 0) == topic.partition_count for topic in known)


def _require_upgradable(classic: ClassicGroup, config: ConsumerConfig) -> None:
    if not config.migration.upgrades:
        raise _not_upgradable(classic, "because online upgrade is disabled.")
    if classic.protocol_type != PROTOCOL_TYPE:
        raise _not_upgradable(classic, "because the group does not use the consumer embedded protocol.")
    if len(classic.members) > config.members_max:
        raise _not_upgradable(classic, "because the group size exceeds the consumer group maximum size.")


def _not_upgradable(classic: ClassicGroup, why: str) -> CoordinatorError:
    return CoordinatorError(
        ErrorCode.GROUP_ID_NOT_FOUND, f"Cannot upgrade classic group {classic.group_id} to consumer group {why}"
    )


def _members(classic: ClassicGroup, topics: Topics) -> tuple[list[Member], dict[str, Assignment]]:
    members: list[Member] = []
    targets: dict[str, Assignment] = {}
    taken: dict[bytes, frozenset[int]] = {}
    for known in classic.members.values():
        assignment = read_assignment(known.assignment)
        if assignment.user_data:
            raise _not_upgradable(
                classic,
                "because an unsupported custom assignor is in use. Please refer to the documentation or switch to a "
                "default assignor before re-attempting the upgrade.",
            )
        target: dict[bytes, tuple[int, ...]] = {}
        named = ((topic.topic, topic.partitions) for topic in assignment.assigned_partitions)
        for topic_id, partitions in sorted(ids_of_partitions(named, topics).items()):
            own = partitions - taken.get(topic_id, frozenset())
            taken[topic_id] = taken.get(topic_id, frozenset()) | own
            if own:
                target[topic_id] = tuple(sorted(own))
        targets[known.member_id] = target
        members.append(_member(classic, known, target))
    return members, targets


def _member(classic: ClassicGroup, known: ClassicMember, target: Assignment) -> Member:
    # While the first generation forms, nothing is chosen yet; all that a member supports says the same.
    metadata = known.metadata_or_none(classic.protocol)
    subscription = read_subscription(known.protocols[0].metadata if metadata is None else metadata)
    generation = classic.generation
    return Member(
        member_id=known.member_id,
        instance_id=known.group_instance_id,
        rack_id=subscription.rack_id or None,
        client_id=known.client_id,
        client_host=known.client_host,
        topic_names=tuple(sorted(set(subscription.topics))),
        rebalance_timeout_ms=known.rebalance_timeout_ms,
        classic=ClassicMemberMetadata(
            session_timeout_ms=known.session_timeout_ms,
            supported_protocols=tuple(ClassicProtocol(name=p.name, metadata=p.metadata) for p in known.protocols),
        ),
        epoch=generation,
        previous_epoch=generation,
        assigned={topic_id: dict.fromkeys(partitions, generation) for topic_id, partitions in target.items()},
    )


# Downwards.


def may_downgrade(group: ConsumerGroup, leaving: Collection[Member], staying: int, config: ConsumerConfig) -> bool:
    """Are all that stay, ``staying`` in number, classic members, and may the group become one of theirs?"""
    classic_leaving = sum(member.classic is not None for member in leaving)
    return (
        group.classic_count - classic_leaving == len(group.members) - len(leaving)
        and staying > 0
        and config.migration.downgrades
        and staying <= config.classic_members_max
    )


def downgrade(
    group: ConsumerGroup, leaving: Sequence[Member], joining: Member | None, topics: Topics, now: Now
) -> Downgrade:
    """The group without some members, as a classic one. ``joining`` takes the place of the static member that leaves.
    Raises CoordinatorError GROUP_ID_NOT_FOUND when what a member said cannot be read."""
    group_id = group.group_id
    gone = {member.member_id for member in leaving}
    members = [member for member in group.members.values() if member.member_id not in gone]
    targets = dict(group.target)
    if joining is not None:
        members.append(joining)
        for member in leaving:
            targets[joining.member_id] = group.target.get(member.member_id, NOTHING)
    classic = ClassicGroup(group_id, Standings())
    for member in members:
        classic.add(_classic(member), PROTOCOL_TYPE)
    classic.generation = group.epoch
    classic.state_since_ms = now.wall_ms
    classic.protocol = classic.select_protocol()
    try:
        assignments = {
            member_id: write_assignment(targets.get(member_id, NOTHING), topics, known.metadata(classic.protocol))
            for member_id, known in classic.members.items()
        }
    except ValueError as error:
        raise CoordinatorError(
            ErrorCode.GROUP_ID_NOT_FOUND, f"Cannot downgrade the classic group {group_id}: {error}."
        ) from error
    value = classic.record(assignments).value
    assert isinstance(value, GroupMetadataValue), "a group's record"
    tombstones = group_tombstones(group_id, tuple(group.members), tuple(group.regexes))
    return Downgrade(tombstones, value, {known.member_id: known.protocols for known in classic.members.values()})


def _classic(member: Member) -> ClassicMember:
    assert member.classic is not None, "only classic members stay"
    return ClassicMember(
        member.member_id,
        member.instance_id,
        member.client_id,
        member.client_host,
        member.rebalance_timeout_ms,
        member.classic.session_timeout_ms,
        tuple(
            JoinGroupRequestProtocol(name=protocol.name, metadata=protocol.metadata)
            for protocol in member.classic.supported_protocols
        ),
    )

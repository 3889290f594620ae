"""Committed offsets: commit, fetch, delete, and what goes by itself.

Prior art: Kafka's ``OffsetMetadataManager``. There a fetch reads the state as of the last committed record, out of a
hash map with snapshots, unless it wants it stable. Ours reads the newest state and answers through the ``Outbox``,
which holds the answer until what it shows is committed: one state, and a client reads its own writes sooner. So a fetch
that comes while an append is not committed waits for it, as every answer does.

Invariants: state changes in ``apply``, ``apply_pending`` and ``end_transaction`` alone; an offset in the state is, bit
for bit, what its record brings back; groups without members are made by the first offset that is applied.
"""

from __future__ import annotations

from functools import partial
from typing import final

from ottla.coordinator.machine import CoordinatorError, Now, Outbox, Record, Reply
from ottla.errors import ErrorCode
from ottla.groups.offsets.answers import plain_commit, transactional_answer
from ottla.groups.offsets.config import OffsetsConfig
from ottla.groups.offsets.expiry import Cleaner, tombstone
from ottla.groups.offsets.group import Committer, Groups, PartitionRule
from ottla.groups.offsets.offset import NO_EXPIRY, topic_id_of, unpack
from ottla.groups.offsets.store import OffsetStore
from ottla.ids import ZERO_TOPIC_ID
from ottla.records.consumer_offsets import (
    LegacyOffsetCommitKey,
    LegacyOffsetCommitValue,
    OffsetCommitKey,
    OffsetCommitValue,
)
from ottla.wire.k08_offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from ottla.wire.k09_offset_fetch import (
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopics,
)
from ottla.wire.k28_txn_offset_commit import TxnOffsetCommitRequest, TxnOffsetCommitResponse
from ottla.wire.k47_offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteResponse,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)

__all__ = ["Offsets"]

MEMBER_EPOCHS_SINCE: int = 9
"""The version of OffsetCommit from which on it may be answered GROUP_ID_NOT_FOUND."""
TRANSACTIONAL_ERRORS_SINCE: int = 6
"""The version of TxnOffsetCommit from which on it may be, and STALE_MEMBER_EPOCH."""


@final
class Offsets:
    """The offsets of one partition of ``__consumer_offsets``.

    Topics of requests come with name and id, the id zero where it is not known: who calls has looked them up, and has
    answered for those that are unknown or forbidden.
    """

    __slots__ = ("_cleaner", "_config", "_groups", "_store")

    def __init__(self, groups: Groups, config: OffsetsConfig) -> None:
        self._groups = groups
        self._config = config
        self._store = OffsetStore()
        self._cleaner = Cleaner(
            self._store, groups, retention_ms=config.retention_ms, interval_ms=config.retention_check_interval_ms
        )

    @property
    def store(self) -> OffsetStore:
        """The state, to look at."""
        return self._store

    # --- requests

    def commit(
        self, request: OffsetCommitRequest, version: int, reply: Reply[OffsetCommitResponse], outbox: Outbox
    ) -> None:
        """OffsetCommit: all partitions that may be committed, in one append.

        The whole request fails with GROUP_ID_NOT_FOUND (before version 9 ILLEGAL_GENERATION), or what the group says;
        a partition with OFFSET_METADATA_TOO_LARGE, or what the group says.
        """
        committer = Committer(
            request.member_id,
            request.group_instance_id,
            request.generation_id_or_member_epoch,
            version,
            is_transactional=False,
        )
        try:
            rule = self._check_commit(request.group_id, committer)
            records, response = self._decided(request, rule, outbox.now.wall_ms)
            if records:
                outbox.emit(*records)
        except CoordinatorError as error:
            outbox.refuse(reply, error.code, error.message)
            return
        group = self._groups.find(request.group_id)
        if group is not None:
            group.offset_committed(request.member_id, outbox.now)
        outbox.answer(reply, response)

    def commit_in_transaction(
        self, request: TxnOffsetCommitRequest, version: int, reply: Reply[TxnOffsetCommitResponse], outbox: Outbox
    ) -> None:
        """TxnOffsetCommit: changes nothing until ``pending`` is told that what this emits is in the log.

        Fails as ``commit``; but before version 6 what the group says of epochs is ILLEGAL_GENERATION.
        """
        asked = plain_commit(request)
        committer = Committer(
            request.member_id,
            request.group_instance_id,
            request.generation_id_or_member_epoch,
            version,
            is_transactional=True,
        )
        try:
            rule = self._check_transactional_commit(request.group_id, committer)
            records, response = self._decided(asked, rule, outbox.now.wall_ms)
            if records:
                outbox.emit(*records)
        except CoordinatorError as error:
            outbox.refuse(reply, error.code, error.message)
            return
        outbox.answer(reply, transactional_answer(response))

    def fetch(
        self,
        request: OffsetFetchRequestGroup,
        reply: Reply[OffsetFetchResponseGroup],
        outbox: Outbox,
        *,
        require_stable: bool,
    ) -> None:
        """OffsetFetch of one group, in the form of version 8 and later; ``answers`` has the others.

        What has no offset, or one of another topic of that name, is −1. With ``require_stable`` a partition for which a
        transaction is open is UNSTABLE_OFFSET_COMMIT. The whole group fails with what the group says.
        """
        group = self._groups.find(request.group_id)
        try:
            if group is not None:
                group.check_offset_fetch(request.member_id, request.member_epoch)
        except CoordinatorError as error:
            if error.code != ErrorCode.GROUP_ID_NOT_FOUND:
                outbox.answer(reply, OffsetFetchResponseGroup(group_id=request.group_id, error_code=error.code))
                return
            group = None
        if group is None:
            topics = tuple(map(_nothing_of, request.topics or ()))
        elif request.topics is None:
            topics = tuple(
                self._fetched(request.group_id, self._everything_of(request.group_id, topic), require_stable)
                for topic in self._store.topics(request.group_id)
            )
        else:
            topics = tuple(self._fetched(request.group_id, topic, require_stable) for topic in request.topics)
        outbox.answer(reply, OffsetFetchResponseGroup(group_id=request.group_id, topics=topics))

    def delete(self, request: OffsetDeleteRequest, reply: Reply[OffsetDeleteResponse], outbox: Outbox) -> None:
        """OffsetDelete. The whole request fails with GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP; a partition with
        GROUP_SUBSCRIBED_TO_TOPIC. What has no offset is no error."""
        try:
            group = self._groups.find(request.group_id)
            if group is None:
                raise _no_group(request.group_id)
            group.check_offset_delete()
            records: list[Record] = []
            topics = []
            for topic in request.topics:
                code = ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC if group.is_subscribed(topic.name) else ErrorCode.NONE
                indexes = [partition.partition_index for partition in topic.partitions]
                records += [
                    tombstone(request.group_id, topic.name, index)
                    for index in dict.fromkeys(indexes)
                    if code == ErrorCode.NONE and self._store.is_known(request.group_id, topic.name, index)
                ]
                answers = [OffsetDeleteResponsePartition(partition_index=index, error_code=code) for index in indexes]
                topics.append(OffsetDeleteResponseTopic(name=topic.name, partitions=tuple(answers)))
            if records:
                outbox.emit(*records)
        except CoordinatorError as error:
            outbox.refuse(reply, error.code, error.message)
            return
        outbox.answer(reply, OffsetDeleteResponse(topics=tuple(topics)))

    # --- what others cause

    def delete_all(self, group_id: str, outbox: Outbox) -> None:
        """The group is deleted: so is all that it has committed, and what is pending for it."""
        found = [(topic, partition) for topic, partition, _ in self._store.committed(group_id)]
        for topic, partition in dict.fromkeys([*found, *self._store.pending(group_id)]):
            # One by one: together they might be too large.
            outbox.emit(tombstone(group_id, topic, partition))

    def topic_deleted(self, name: str, topic_id: bytes) -> None:
        """A topic is gone: what is committed for it is deleted with the next calls of ``advance``."""
        self._cleaner.topic_deleted(name, topic_id)

    # --- the machine

    def apply(self, record: Record) -> None:
        """A record of an offset, emitted or replayed, that belongs to no transaction or to one that was committed."""
        key, value = record
        assert isinstance(key, OffsetCommitKey | LegacyOffsetCommitKey), f"{key} is no offset"
        if value is None:
            self._store.remove(key.group, key.topic, key.partition)
            return
        if self._groups.find(key.group) is None:
            self._groups.make_simple(key.group)
        self._store.put(key.group, key.topic, key.partition, _modern(value))

    def apply_pending(self, producer_id: int, record: Record) -> None:
        """A record of an offset in a transaction that is open as far as the log was read."""
        key, value = record
        assert isinstance(key, OffsetCommitKey), f"{key} is no offset"
        if value is None:
            self._store.remove(key.group, key.topic, key.partition)
            return
        if self._groups.find(key.group) is None:
            self._groups.make_simple(key.group)
        self._store.put_pending(producer_id, key.group, key.topic, key.partition, _modern(value))

    def end_transaction(self, producer_id: int, *, is_committed: bool) -> None:
        """A marker in the log. Without anything pending it means nothing."""
        self._store.end_transaction(producer_id, is_committed=is_committed)

    def loaded(self, now: Now) -> None:
        """The log is read: sweeps begin."""
        for group_id in self._store.groups():
            # Its tombstone may be younger than what is left of its offsets; without it they would stay for ever.
            if self._groups.find(group_id) is None:
                self._groups.make_simple(group_id)
        self._cleaner.begin(now)

    def next_deadline_ms(self) -> int | None:
        """When ``advance`` must be called at the latest; 0 for at once."""
        return self._cleaner.next_deadline_ms()

    def advance(self, outbox: Outbox) -> None:
        """A slice of a sweep, or of what deleted topics have left."""
        self._cleaner.advance(outbox)

    # --- inside

    def _check_transactional_commit(self, group_id: str, committer: Committer) -> PartitionRule | None:
        """As ``_check_commit``, in the words of TxnOffsetCommit (KIP-1319)."""
        old = committer.version < TRANSACTIONAL_ERRORS_SINCE
        group = self._groups.find(group_id)
        if group is None:
            if committer.generation_or_epoch < 0:
                return None
            raise CoordinatorError(ErrorCode.ILLEGAL_GENERATION) if old else _no_group(group_id)
        try:
            rule = group.check_offset_commit(committer)
        except CoordinatorError as error:
            if old and error.code == ErrorCode.STALE_MEMBER_EPOCH:
                raise CoordinatorError(ErrorCode.ILLEGAL_GENERATION, error.message) from error
            raise
        return rule if rule is None or not old else partial(_without_epochs, rule)

    def _check_commit(self, group_id: str, committer: Committer) -> PartitionRule | None:
        group = self._groups.find(group_id)
        if group is not None:
            return group.check_offset_commit(committer)
        if committer.generation_or_epoch < 0:
            # Whoever has no members needs no group: it is made with the first offset.
            return None
        if committer.version >= MEMBER_EPOCHS_SINCE:
            raise _no_group(group_id)
        raise CoordinatorError(ErrorCode.ILLEGAL_GENERATION)

    def _decided(
        self, request: OffsetCommitRequest, rule: PartitionRule | None, wall_ms: int
    ) -> tuple[list[Record], OffsetCommitResponse]:
        expire_ms = NO_EXPIRY if request.retention_time_ms == -1 else wall_ms + request.retention_time_ms
        records: list[Record] = []
        topics = []
        for topic in request.topics:
            partitions = []
            for partition in topic.partitions:
                code = self._refusal(topic, partition, rule)
                if code == ErrorCode.NONE:
                    key = OffsetCommitKey(group=request.group_id, topic=topic.name, partition=partition.partition_index)
                    records.append(Record(key, _value(topic.topic_id, partition, wall_ms, expire_ms)))
                partitions.append(
                    OffsetCommitResponsePartition(partition_index=partition.partition_index, error_code=code)
                )
            topics.append(
                OffsetCommitResponseTopic(name=topic.name, topic_id=topic.topic_id, partitions=tuple(partitions))
            )
        return records, OffsetCommitResponse(topics=tuple(topics))

    def _refusal(
        self, topic: OffsetCommitRequestTopic, partition: OffsetCommitRequestPartition, rule: PartitionRule | None
    ) -> ErrorCode:
        metadata, limit = partition.committed_metadata, self._config.metadata_chars_max
        # Kafka counts as Java does, in which some characters count twice.
        if metadata and len(metadata) * 2 > limit and len(metadata.encode("utf-16-le")) > limit * 2:
            return ErrorCode.OFFSET_METADATA_TOO_LARGE
        return ErrorCode.NONE if rule is None else rule(topic.name, topic.topic_id, partition.partition_index)

    def _everything_of(self, group_id: str, topic: str) -> OffsetFetchRequestTopics:
        return OffsetFetchRequestTopics(name=topic, partition_indexes=tuple(self._store.partitions(group_id, topic)))

    def _fetched(
        self, group_id: str, topic: OffsetFetchRequestTopics, require_stable: bool
    ) -> OffsetFetchResponseTopics:
        committed = self._store.partitions(group_id, topic.name)
        partitions = []
        for index in topic.partition_indexes:
            packed = committed.get(index)
            if require_stable and self._store.is_pending(group_id, topic.name, index):
                partitions.append(_none_of(index, ErrorCode.UNSTABLE_OFFSET_COMMIT))
            elif packed is None or _is_of_another(packed, topic.topic_id):
                partitions.append(_none_of(index))
            else:
                found = unpack(packed)
                partitions.append(
                    OffsetFetchResponsePartitions(
                        partition_index=index,
                        committed_offset=found.offset,
                        committed_leader_epoch=found.leader_epoch,
                        metadata=found.metadata,
                    )
                )
        return OffsetFetchResponseTopics(name=topic.name, topic_id=topic.topic_id, partitions=tuple(partitions))


def _without_epochs(rule: PartitionRule, topic: str, topic_id: bytes, partition: int) -> ErrorCode:
    code = rule(topic, topic_id, partition)
    return ErrorCode.ILLEGAL_GENERATION if code == ErrorCode.STALE_MEMBER_EPOCH else code


def _value(topic_id: bytes, partition: OffsetCommitRequestPartition, wall_ms: int, expire_ms: int) -> OffsetCommitValue:
    if expire_ms != NO_EXPIRY:
        # Version 1 of the record, the only one with an expiry, has neither epoch nor id: what is applied is what is
        # replayed.
        topic_id, leader_epoch = ZERO_TOPIC_ID, -1
    else:
        leader_epoch = partition.committed_leader_epoch
    return OffsetCommitValue(
        offset=partition.committed_offset,
        leader_epoch=leader_epoch,
        metadata=partition.committed_metadata or "",
        commit_timestamp=wall_ms,
        expire_timestamp=expire_ms,
        topic_id=topic_id,
    )


def _modern(value: object) -> OffsetCommitValue:
    if isinstance(value, LegacyOffsetCommitValue):
        return OffsetCommitValue(offset=value.offset, metadata=value.metadata, commit_timestamp=value.commit_timestamp)
    assert isinstance(value, OffsetCommitValue), f"{value} is no offset"
    return value


def _is_of_another(packed: bytes, topic_id: bytes) -> bool:
    stored = topic_id_of(packed)
    return stored != topic_id and ZERO_TOPIC_ID not in (stored, topic_id)


def _none_of(partition: int, code: ErrorCode = ErrorCode.NONE) -> OffsetFetchResponsePartitions:
    return OffsetFetchResponsePartitions(
        partition_index=partition, committed_offset=-1, committed_leader_epoch=-1, metadata="", error_code=code
    )


def _nothing_of(topic: OffsetFetchRequestTopics) -> OffsetFetchResponseTopics:
    partitions = tuple(map(_none_of, topic.partition_indexes))
    return OffsetFetchResponseTopics(name=topic.name, topic_id=topic.topic_id, partitions=partitions)


def _no_group(group_id: str) -> CoordinatorError:
    return CoordinatorError(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group_id} not found.")

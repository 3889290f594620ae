"""Committed offsets: commit, fetch, delete, and what goes by itself.

Prior art: Kafka's ``OffsetMetadataManager``. There a fetch reads the state as of the last committed record, out of a
hash map with snapshots, unless it wants it stable. Ours reads the newest state and answers through the ``Outbox``,
which holds the answer until what it shows is committed: one state, and a client reads its own writes sooner. So a fetch
that comes while an append is not committed waits for it, as every answer does.

Records of offsets are made as bytes at once (``Record`` with a key of bytes), and ``apply`` reads those: what is
applied is what the log brings back. When a log is loaded they go straight into the table, and nothing of them is seen
here.

Invariants: state changes in ``apply``, ``apply_pending`` and ``end_transaction`` alone; groups without members are made
by the first offset that is applied, and by ``digest`` for those that were loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, final

from ottla.coordinator.machine import LEAVE, CoordinatorError, Leave, Now, Outbox, Record, Reply
from ottla.errors import ErrorCode
from ottla.groups.offsets.answers import plain_commit, transactional_answer
from ottla.groups.offsets.config import OffsetsConfig
from ottla.groups.offsets.expiry import Cleaner
from ottla.groups.offsets.group import Committer, Groups, OffsetGroup, PartitionRule
from ottla.groups.offsets.table import NO_EXPIRY, OffsetTable, fetched_nothing, offset_record, tombstone
from ottla.ids import ZERO_TOPIC_ID
from ottla.wire.codec import WireError
from ottla.wire.k08_offset_commit import (
    OffsetCommitRequest,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from ottla.wire.k09_offset_fetch import (
    OffsetFetchRequestGroup,
    OffsetFetchResponseGroup,
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

MEMBER_EPOCHS_SINCE: Final = 9
"""The version of OffsetCommit from which on it may be answered GROUP_ID_NOT_FOUND."""
TRANSACTIONAL_ERRORS_SINCE: Final = 6
"""The version of TxnOffsetCommit from which on it may be, and STALE_MEMBER_EPOCH."""


@final
class Offsets:
    """The offsets of one partition of ``__consumer_offsets``.

    Topics of requests come with name and id, the id zero where it is not known: who calls has looked them up, and has
    answered for those that are unknown or forbidden.
    """

    __slots__ = ("_cleaner", "_config", "_groups", "_leader_epoch", "_table")

    def __init__(self, groups: Groups, config: OffsetsConfig, leader_epoch: int = 0) -> None:
        self._groups = groups
        self._config = config
        self._leader_epoch = leader_epoch
        self._table = OffsetTable()
        self._cleaner = Cleaner(
            self._table,
            groups,
            self.withdraw,
            retention_ms=config.retention_ms,
            interval_ms=config.retention_check_interval_ms,
        )

    @property
    def table(self) -> OffsetTable:
        """The state, to look at, and to be filled by a load."""
        return self._table

    # --- requests

    def commit(
        self,
        request: OffsetCommitRequest,
        version: int,
        reply: Reply[OffsetCommitResponse | Leave],
        outbox: Outbox,
        *,
        may_leave: bool = False,
    ) -> None:
        """OffsetCommit: all partitions that may be committed, in one append. With ``may_leave`` a member that may
        commit anything is granted that, and its request left to the data plane.

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
        group = self._groups.find(request.group_id)
        try:
            rule = _check_commit(group, request.group_id, committer)
            response: OffsetCommitResponse | Leave
            if may_leave and rule is None and self._may_be_granted(request.group_id, committer, outbox):
                self._grant(request.group_id, committer)
                response = LEAVE
            else:
                records, response = self._decided(request, rule, outbox.now.wall_ms)
                if records:
                    outbox.emit(*records)
        except CoordinatorError as error:
            outbox.refuse(reply, error.code, error.message)
            return
        if group is not None:
            group.offset_committed(request.member_id, outbox.now.monotonic_ms)
        outbox.answer(reply, response)

    def _may_be_granted(self, group_id: str, committer: Committer, outbox: Outbox) -> bool:
        """Not while the order of a transaction and a plain commit counts; and members, of whom a group has so many, and
        the one without an id, not everybody who calls itself something while the group has no members."""
        is_one_of_few = committer.generation_or_epoch >= 0 or not (committer.member_id or committer.instance_id)
        return is_one_of_few and not outbox.in_doubt and not self._table.has_pending(group_id)

    def _grant(self, group_id: str, committer: Committer) -> None:
        """It may commit what it likes until ``withdraw``. The group is there before the data plane gives it offsets; if
        it never does, the next sweep finds it."""
        self._groups.make_simple(group_id)
        self._table.grant(
            group_id,
            committer.member_id,
            committer.instance_id,
            committer.generation_or_epoch,
            committer.version,
        )

    def withdraw(self, group_id: str) -> None:
        """Something about the group is about to change that ``OffsetGroup.check_offset_commit`` looks at. Who has
        committed below by then was there."""
        used = self._table.withdraw(group_id)
        group = self._groups.find(group_id) if used else None
        if group is not None:
            for member_id, at_ms in used:
                group.offset_committed(member_id, at_ms)

    def last_commit_ms(self, group_id: str, member_id: str) -> int | None:
        """When the data plane last let the member commit, on the monotonic clock; None if it did not since it was
        granted."""
        return self._table.last_commit_ms(group_id, member_id)

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
                # Plain commits go before it or come here: they must know what is pending.
                self.withdraw(request.group_id)
                outbox.emit(*records)
        except CoordinatorError as error:
            outbox.refuse(reply, error.code, error.message)
            return
        outbox.answer(reply, transactional_answer(response))

    def fetch(
        self,
        request: OffsetFetchRequestGroup,
        version: int,
        reply: Reply[OffsetFetchResponseGroup],
        outbox: Outbox,
        *,
        require_stable: bool,
    ) -> None:
        """OffsetFetch of one group, in the form of version 8 and later; ``answers`` has the others. The partitions of
        each topic are bytes already, as ``version`` has them.

        What has no offset, or one of another topic of that name, is −1. With ``require_stable`` a partition for which a
        transaction is open is UNSTABLE_OFFSET_COMMIT. The whole group fails with what the group says.
        """
        group_id, table = request.group_id, self._table
        group = self._groups.find(group_id)
        try:
            if group is not None:
                group.check_offset_fetch(request.member_id, request.member_epoch)
        except CoordinatorError as error:
            if error.code != ErrorCode.GROUP_ID_NOT_FOUND:
                outbox.answer(reply, OffsetFetchResponseGroup(group_id=group_id, error_code=error.code))
                return
            group = None
        asked: list[tuple[str, bytes, tuple[int, ...] | None]]
        if request.topics is not None:
            asked = [(topic.name, topic.topic_id, topic.partition_indexes) for topic in request.topics]
        else:
            asked = [] if group is None else [(topic, ZERO_TOPIC_ID, None) for topic in table.topics(group_id)]
        topics = []
        for name, topic_id, indexes in asked:
            partitions: Any
            if group is None:
                partitions = fetched_nothing(version, indexes or (), ErrorCode.NONE)
            else:
                partitions = table.fetch(version, group_id, name, topic_id, indexes, require_stable)
            topics.append(OffsetFetchResponseTopics(name=name, topic_id=topic_id, partitions=partitions))
        outbox.answer(reply, OffsetFetchResponseGroup(group_id=group_id, topics=tuple(topics)))

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
                    if code == ErrorCode.NONE and self._table.is_known(request.group_id, topic.name, index)
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
        """The group is deleted: so is all that it has committed, and what is pending for it or being written."""
        self.withdraw(group_id)
        # First what is being written: what is written by then is committed when one looks at that.
        table = self._table
        rows = (*table.being_written(group_id), *table.committed(group_id), *table.pending(group_id))
        for topic, partition in dict.fromkeys((topic, partition) for topic, partition, _ in rows):
            # One by one: together they might be too large.
            outbox.emit(tombstone(group_id, topic, partition))

    def topic_deleted(self, name: str, topic_id: bytes) -> None:
        """A topic is gone: what is committed for it is deleted with the next calls of ``advance``."""
        self._cleaner.topic_deleted(name, topic_id)

    # --- the machine

    def apply(self, record: Record, *, is_known: bool = False) -> None:
        """A record of an offset, emitted or replayed, that belongs to no transaction or to one that was committed.
        ``is_known``: it was applied before. Raises WireError for bytes that are none."""
        key, value = record
        assert isinstance(key, bytes), f"{key} is no offset as bytes"
        assert value is None or isinstance(value, bytes)
        group_id = self._table.apply(key, value, is_known)
        if group_id is not None:
            self._groups.make_simple(group_id)

    def apply_pending(self, producer_id: int, record: Record) -> None:
        """A record of an offset in a transaction that is open as far as the log was read."""
        key, value = record
        assert isinstance(key, bytes), f"{key} is no offset as bytes"
        assert value is None or isinstance(value, bytes)
        group_id = self._table.apply_pending(producer_id, key, value)
        if group_id is not None:
            self._groups.make_simple(group_id)

    def end_transaction(self, producer_id: int, *, is_committed: bool) -> None:
        """A marker in the log. Without anything pending it means nothing."""
        self._table.end_transaction(producer_id, is_committed)

    def digest(self) -> Iterator[None]:
        """The groups of the offsets that were loaded, one with each step."""
        for group_id in self._table.groups():
            # Also where the tombstone of a group is younger than what is left of its offsets: without a group they
            # would stay for ever.
            self._groups.make_simple(group_id)
            yield

    def emitted(self) -> Callable[[], None] | None:
        """See ``Machine``: until then the data plane leaves the groups of these offsets alone."""
        mark = self._table.seal()
        return None if mark is None else partial(self._table.settle, mark)

    def loaded(self, now: Now) -> None:
        """The log is read: sweeps begin, and the data plane may serve."""
        self._cleaner.begin(now)
        config = self._config
        self._table.open(self._leader_epoch, config.metadata_chars_max, config.commit_timeout_ms, config.codec)

    def abandon(self) -> None:
        """The coordinator is given up: nobody serves any more."""
        self._table.close()

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

    def _decided(
        self, request: OffsetCommitRequest, rule: PartitionRule | None, wall_ms: int
    ) -> tuple[list[Record], OffsetCommitResponse]:
        group_id, expire_ms = request.group_id, NO_EXPIRY
        if request.retention_time_ms != -1:
            expire_ms = wall_ms + request.retention_time_ms
        records: list[Record] = []
        topics = []
        for topic in request.topics:
            name, topic_id = topic.name, topic.topic_id
            partitions = []
            for partition in topic.partitions:
                index, metadata = partition.partition_index, partition.committed_metadata
                code = ErrorCode.NONE
                if metadata and self._is_too_large(metadata):
                    code = ErrorCode.OFFSET_METADATA_TOO_LARGE
                elif rule is not None:
                    code = rule(name, topic_id, index)
                if code is ErrorCode.NONE:
                    offset, epoch = partition.committed_offset, partition.committed_leader_epoch
                    records.append(
                        _record(group_id, name, index, offset, epoch, metadata, wall_ms, expire_ms, topic_id)
                    )
                partitions.append(OffsetCommitResponsePartition(partition_index=index, error_code=code))
            topics.append(OffsetCommitResponseTopic(name=name, topic_id=topic_id, partitions=tuple(partitions)))
        return records, OffsetCommitResponse(topics=tuple(topics))

    def _is_too_large(self, metadata: str) -> bool:
        """Kafka counts as Java does, in which some characters count twice."""
        limit = self._config.metadata_chars_max
        return len(metadata) * 2 > limit and len(metadata.encode("utf-16-le")) > limit * 2


def _check_commit(group: OffsetGroup | None, group_id: str, committer: Committer) -> PartitionRule | None:
    if group is not None:
        return group.check_offset_commit(committer)
    if committer.generation_or_epoch < 0:
        # Whoever has no members needs no group: it is made with the first offset.
        return None
    if committer.version >= MEMBER_EPOCHS_SINCE:
        raise _no_group(group_id)
    raise CoordinatorError(ErrorCode.ILLEGAL_GENERATION)


def _without_epochs(rule: PartitionRule, topic: str, topic_id: bytes, partition: int) -> ErrorCode:
    code = rule(topic, topic_id, partition)
    return ErrorCode.ILLEGAL_GENERATION if code == ErrorCode.STALE_MEMBER_EPOCH else code


def _record(
    group_id: str,
    topic: str,
    partition: int,
    offset: int,
    leader_epoch: int,
    metadata: str | None,
    commit_ms: int,
    expire_ms: int,
    topic_id: bytes,
) -> Record:
    """One with an expiry has neither leader epoch nor topic id: its version of the record has no place for them."""
    try:
        return Record._make(
            offset_record(group_id, topic, partition, offset, leader_epoch, metadata, commit_ms, expire_ms, topic_id)
        )
    except (WireError, OverflowError) as error:
        raise CoordinatorError(ErrorCode.UNKNOWN_SERVER_ERROR, f"this offset cannot be written: {error}") from error


def _no_group(group_id: str) -> CoordinatorError:
    return CoordinatorError(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {group_id} not found.")

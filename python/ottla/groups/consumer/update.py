"""A member joins or says something new: what that makes of the group, as records that are not applied yet.

The steps are those of Kafka's ``GroupMetadataManager.consumerGroupHeartbeat``: the member and its subscription, the
epoch of the group, the target, the member's own assignment. The group is only read; whoever emits the records then
sets what is soft. So a request that is refused half way has changed nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, final

from ottla.coordinator.machine import CoordinatorError, Now, Record
from ottla.errors import ErrorCode
from ottla.groups.assignors.spec import NOTHING, Assignment
from ottla.groups.assignors.steps import Pace, finish
from ottla.groups.consumer.assigning import assign, is_much
from ottla.groups.consumer.config import ConsumerConfig
from ottla.groups.consumer.group import ConsumerGroup, ids_of
from ottla.groups.consumer.member import Member
from ottla.groups.consumer.reconcile import Held, Target, reconcile
from ottla.groups.consumer.records import (
    current_record,
    epoch_record,
    member_record,
    no_partition_metadata,
    no_regex,
    removal_records,
    target_epoch_record,
    target_record,
)
from ottla.groups.consumer.regex import Compile, PatternError
from ottla.groups.consumer.resolving import REGEX_INTERVAL_MS, Resolving
from ottla.groups.consumer.topics import TopicHashes

__all__ = ["Update", "Updater", "successor"]


@final
class Update:
    """One change of a member, being put together."""

    __slots__ = (
        "after",
        "asks",
        "assigns",
        "before",
        "dissolves",
        "epoch",
        "group",
        "moved",
        "records",
        "refreshed",
        "replaced",
        "resubscribed",
    )

    def __init__(self, group: ConsumerGroup, records: list[Record], dissolves: bool, before: Member) -> None:
        self.group: Final = group
        """As it was; for one that is only now made, as it will be."""
        self.before: Final = before
        """The member as it was; for a new one, empty; for the successor of a static one, that one under its new id."""
        self.after = before
        self.records: Final = records
        self.dissolves: Final = dissolves
        """There is a classic group of that name, of which the records make one of this kind."""
        self.replaced: str | None = None
        """The id that the member had before."""
        self.epoch = group.epoch
        self.resubscribed = False
        self.refreshed = False
        self.moved = False
        """Its own assignment or epoch changed."""
        self.asks: tuple[str, ...] = ()
        """Expressions to be resolved."""
        self.assigns = False
        """A target is to be made between requests."""

    def replace_static(self, old: Member) -> None:
        """The member takes the place of one with the same instance id."""
        group_id = self.group.group_id
        self.replaced = old.member_id
        self.records.extend(removal_records(group_id, old.member_id))
        self.records.append(member_record(group_id, self.before))
        target = self.group.target.get(old.member_id, NOTHING)
        self.records.append(target_record(group_id, self.before.member_id, target))
        self.records.append(current_record(group_id, self.before))

    @property
    def target(self) -> Assignment:
        """What the last target gives the member."""
        return self.group.target.get(self.replaced or self.before.member_id, NOTHING)

    def owners(self, topic_id: bytes) -> Mapping[int, str]:
        """Who has which partition of a topic, once the member is who it becomes."""
        owners = self.group.owners.get(topic_id, {})
        if self.replaced is None:
            return owners
        member_id = self.before.member_id
        return {partition: member_id if owner == self.replaced else owner for partition, owner in owners.items()}


@final
class Updater:
    """The steps."""

    def __init__(
        self,
        config: ConsumerConfig,
        hashes: TopicHashes,
        compile_: Compile,
        resolving: Resolving,
    ) -> None:
        self.config: Final = config
        self.topics: Final = hashes.topics
        self.hashes: Final = hashes
        self._compile = compile_
        self._resolving = resolving

    # 1. The member, and what it subscribes to.

    def subscribe(self, update: Update, after: Member, now: Now) -> None:
        """The member says what it is and wants. Raises CoordinatorError INVALID_REGULAR_EXPRESSION."""
        group, before = update.group, update.before
        update.after = after
        renamed = False
        if after != before:
            update.records.append(member_record(group.group_id, after))
            renamed = after.topic_names != before.topic_names
        regex_changed, regex_known = self._change_regex(update, now)
        update.resubscribed = renamed or regex_changed
        bump = renamed or (regex_changed and regex_known) or self._assignor_changes(update)
        if bump or not group.is_fresh:
            self._refresh(update, bump)

    def _change_regex(self, update: Update, now: Now) -> tuple[bool, bool]:
        """Is the expression another one, and if so, is it known what it matches?"""
        group, old, new = update.group, update.before.topic_regex, update.after.topic_regex
        changed = old != new
        known = False
        needed = False
        if changed:
            if old and group.regex_subscribers[old] == 1:
                update.records.append(no_regex(group.group_id, old))
            if new:
                if group.regex_subscribers[new] == 0:
                    self._require_valid(new)
                    needed = True
                else:
                    known = new in group.regexes
            else:
                known = bool(old)
        if needed or group.regex_subscribers:
            update.asks = self._due(update, needed, now)
        return changed, known

    def _require_valid(self, expression: str) -> None:
        try:
            self._compile(expression)
        except PatternError as error:
            raise CoordinatorError(
                ErrorCode.INVALID_REGULAR_EXPRESSION,
                f"SubscribedTopicRegex `{expression}` is not a valid regular expression: {error}.",
            ) from error

    def _due(self, update: Update, needed: bool, now: Now) -> tuple[str, ...]:
        group = update.group
        last = next(iter(group.regexes.values()), None)
        from_ms = group.asks_from_ms if last is None else last.timestamp_ms + REGEX_INTERVAL_MS
        if group.is_asking or from_ms > now.wall_ms:
            return ()
        old, new = update.before.topic_regex, update.after.topic_regex
        if old == new:
            expressions = tuple(group.regex_subscribers)
        else:
            counts = group.regex_subscribers.copy()
            if old:
                counts[old] -= 1
            if new:
                counts[new] += 1
            expressions = tuple(expression for expression, count in counts.items() if count > 0)
        return expressions if needed or self._are_old(group, len(expressions), now) else ()

    def regexes_are_old(self, group: ConsumerGroup, now: Now) -> bool:
        """Is what the expressions of a group match to be looked up again, or for the first time?"""
        return self._are_old(group, len(group.regex_subscribers), now)

    def regexes_last_ms(self, group: ConsumerGroup, now: Now) -> int:
        """How long what the expressions of a group match is good, if no topic is created."""
        last = next(iter(group.regexes.values()), None)
        return 0 if last is None else last.timestamp_ms + self.config.regex_refresh_interval_ms - now.wall_ms

    def _are_old(self, group: ConsumerGroup, expression_count: int, now: Now) -> bool:
        """Is what the expressions of a group match to be looked up again, or for the first time?"""
        if not expression_count:
            return False
        last = next(iter(group.regexes.values()), None)
        return (
            last is None
            or expression_count != len(group.regexes)
            or last.version < self._resolving.created_version
            or last.timestamp_ms + self.config.regex_refresh_interval_ms < now.wall_ms
        )

    def _assignor_changes(self, update: Update) -> bool:
        if update.before.assignor == update.after.assignor:
            return False
        default = self.config.assignors[0]
        was = update.group.preferred_assignor() or default
        return was != (update.group.preferred_assignor(without=(update.before,), added=update.after) or default)

    def _refresh(self, update: Update, bump: bool) -> None:
        """The epoch of the group, with the hash of what it subscribes to now."""
        group, old = update.group, update.before.topic_regex
        gone = (old,) if old and old != update.after.topic_regex and group.regex_subscribers[old] == 1 else ()
        names = group.topics_with((update.before,), update.after, gone)
        metadata_hash = self.hashes.of_group(names)
        if bump or metadata_hash != group.metadata_hash:
            update.epoch += 1
            update.records.append(epoch_record(group.group_id, update.epoch, metadata_hash))
        update.refreshed = True
        if group.has_partition_metadata:
            update.records.append(no_partition_metadata(group.group_id))

    # 2. The target.

    def target(self, update: Update, now: Now) -> Target:
        """What the member should come to: by a new target, if the group changed and the last one is old enough. Raises
        CoordinatorError when there can be none."""
        group, limits = update.group, self.config.assigning
        topic_ids = self.topic_ids(group, update.after)
        if group.assignment_epoch >= update.epoch or not self._may_assign(group, now):
            return Target(group.assignment_epoch, update.target, topic_ids)
        if group.is_assigning or is_much(group, update.after.topic_names, self.topics, limits.at_once_work_max):
            update.assigns = _require_writable(update, now)
            return Target(group.assignment_epoch, update.target, topic_ids)
        assignments = self._assign(update)
        member_id = update.after.member_id
        for each, assignment in assignments.items():
            known = update.target if each == member_id and update.replaced else group.target.get(each)
            if known is not assignment and known != assignment:
                update.records.append(target_record(group.group_id, each, assignment))
        update.records.append(target_epoch_record(group.group_id, update.epoch, now.wall_ms))
        return Target(update.epoch, assignments[member_id], topic_ids)

    def _may_assign(self, group: ConsumerGroup, now: Now) -> bool:
        interval_ms = self.config.settings(group.group_id).assignment_interval_ms
        return group.assigned_at_ms == 0 or interval_ms == 0 or now.wall_ms >= group.assigned_at_ms + interval_ms

    def _assign(self, update: Update) -> dict[str, Assignment]:
        group, after = update.group, update.after
        gone = (update.replaced, after.member_id)
        members = [member for member in group.members.values() if member.member_id not in gone]
        members.append(after)
        targets = {**group.target, after.member_id: update.target}
        assignor = group.preferred_assignor(without=(update.before,), added=after) or self.config.assignors[0]
        return finish(assign(group, members, targets, assignor, self.topics, Pace()))

    def topic_ids(self, group: ConsumerGroup, member: Member) -> frozenset[bytes]:
        """What a member subscribes to, of what is there."""
        return ids_of(group.topics_of(member), self.topics)

    # 3. The member's way to it.

    def reconcile(self, update: Update, target: Target, held: Held) -> None:
        """The member one step further. Raises CoordinatorError FENCED_MEMBER_EPOCH."""
        member = update.after
        if not update.resubscribed and member.is_reconciled(target.epoch):
            return
        moved = reconcile(member, target, held, update.owners, update.resubscribed)
        if moved != member:
            update.records.append(current_record(update.group.group_id, moved))
            update.after = moved
            update.moved = True


def _require_writable(update: Update, now: Now) -> bool:
    """Is the group another than the one whose target could not be written? Raises what was said of that."""
    refusal = update.group.refusal
    if refusal is not None and refusal.epoch == update.epoch and now.wall_ms < refusal.until_ms:
        raise CoordinatorError(refusal.code, refusal.message)
    return True


def successor(old: Member, member_id: str) -> Member:
    """A static member under another id, that begins again."""
    return replace(old, member_id=member_id, epoch=0, previous_epoch=0)

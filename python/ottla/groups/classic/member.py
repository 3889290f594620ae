"""One member of a classic group: what the log remembers of it, and what it is waiting for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, final

from ottla.coordinator.machine import Reply
from ottla.groups.deadlines import Timer
from ottla.records.consumer_offsets import MemberMetadata
from ottla.wire.k11_join_group import JoinGroupRequestProtocol, JoinGroupResponse
from ottla.wire.k14_sync_group import SyncGroupResponse

__all__ = ["Member", "Protocols", "WaitingJoin"]

Protocols = tuple[JoinGroupRequestProtocol, ...]
"""What a member can do, the most wanted first."""


class WaitingJoin(NamedTuple):
    """A JoinGroup that is answered when the join phase ends."""

    reply: Reply[JoinGroupResponse]
    version: int


@final
class Member:
    """A member; changed by its group alone."""

    __slots__ = (
        "assignment",
        "client_host",
        "client_id",
        "group_instance_id",
        "is_new",
        "join",
        "member_id",
        "protocols",
        "rebalance_timeout_ms",
        "session",
        "session_timeout_ms",
        "sync",
    )

    def __init__(
        self,
        member_id: str,
        group_instance_id: str | None,
        client_id: str,
        client_host: str,
        rebalance_timeout_ms: int,
        session_timeout_ms: int,
        protocols: Protocols,
        assignment: bytes = b"",
    ) -> None:
        self.member_id = member_id
        self.group_instance_id = group_instance_id
        """Set for static members."""
        self.client_id = client_id
        self.client_host = client_host
        self.rebalance_timeout_ms = rebalance_timeout_ms
        self.session_timeout_ms = session_timeout_ms
        self.protocols = protocols
        """After a load only the one that was chosen: the record has no more."""
        self.assignment = assignment
        self.is_new = False
        """Waits in its first join: it cannot send heartbeats, so its silence counts although it waits."""
        self.join: WaitingJoin | None = None
        self.sync: Reply[SyncGroupResponse] | None = None
        self.session: Timer | None = None
        """Made when it is first heard of."""

    @classmethod
    def from_record(cls, stored: MemberMetadata, protocol: str | None) -> Member:
        """The member that a record tells of."""
        return cls(
            stored.member_id,
            stored.group_instance_id,
            stored.client_id,
            stored.client_host,
            stored.session_timeout if stored.rebalance_timeout == -1 else stored.rebalance_timeout,
            stored.session_timeout,
            (JoinGroupRequestProtocol(name=protocol or "", metadata=stored.subscription),),
            stored.assignment,
        )

    def record(self, protocol: str, assignment: bytes) -> MemberMetadata:
        """What the log is to remember of it."""
        return MemberMetadata(
            member_id=self.member_id,
            group_instance_id=self.group_instance_id,
            client_id=self.client_id,
            client_host=self.client_host,
            rebalance_timeout=self.rebalance_timeout_ms,
            session_timeout=self.session_timeout_ms,
            subscription=self.metadata(protocol),
            assignment=assignment,
        )

    def is_as_stored(self, stored: MemberMetadata, protocol: str | None) -> bool:
        """Does a record say what is known, but for the assignment?"""
        return (
            self.group_instance_id == stored.group_instance_id
            and self.rebalance_timeout_ms == stored.rebalance_timeout
            and self.session_timeout_ms == stored.session_timeout
            and self.client_id == stored.client_id
            and self.client_host == stored.client_host
            and self.metadata_or_none(protocol) == stored.subscription
        )

    @property
    def names(self) -> frozenset[str]:
        """The names of its protocols."""
        return frozenset(protocol.name for protocol in self.protocols)

    @property
    def is_waiting(self) -> bool:
        """Is an answer owed to it?"""
        return self.join is not None or self.sync is not None

    @property
    def expires(self) -> bool:
        """Does silence end its session? A member that waits for the others has done its part."""
        return self.is_new or not self.is_waiting

    def metadata(self, protocol: str) -> bytes:
        """What it says to the leader under a protocol that it supports."""
        found = self.metadata_or_none(protocol)
        assert found is not None, "every member supports what was chosen"
        return found

    def metadata_or_none(self, protocol: str | None) -> bytes | None:
        """The same of any protocol; None when it does not support it."""
        return metadata_of(self.protocols, protocol)


def metadata_of(protocols: Protocols, protocol: str | None) -> bytes | None:
    """What is said under one of these; None when it is none of them."""
    for known in protocols:
        if known.name == protocol:
            return known.metadata
    return None


def votes(members: Mapping[str, Member], candidates: frozenset[str]) -> dict[str, int]:
    """Each member votes for the candidate that it wants most. In the order in which the names got their first vote."""
    counts: dict[str, int] = {}
    for member in members.values():
        for protocol in member.protocols:
            if protocol.name in candidates:
                counts[protocol.name] = counts.get(protocol.name, 0) + 1
                break
    return counts

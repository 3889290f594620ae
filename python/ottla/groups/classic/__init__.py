"""The classic group protocol: JoinGroup, SyncGroup, Heartbeat, LeaveGroup. Members choose their assignment themselves,
through a leader; the coordinator says who is in, in which generation."""

from ottla.groups.classic.answers import describe
from ottla.groups.classic.config import ClassicConfig
from ottla.groups.classic.group import ClassicGroup
from ottla.groups.classic.groups import ClassicGroups
from ottla.groups.classic.member import Member, Protocols
from ottla.groups.classic.state import TRANSITIONS, State

__all__ = [
    "TRANSITIONS",
    "ClassicConfig",
    "ClassicGroup",
    "ClassicGroups",
    "Member",
    "Protocols",
    "State",
    "describe",
]

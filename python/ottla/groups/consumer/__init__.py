"""Consumer groups by the protocol of KIP-848, as a pure machine; and classic members in them."""

from __future__ import annotations

from ottla.groups.consumer.config import ConsumerConfig, GroupSettings, MigrationPolicy
from ottla.groups.consumer.group import ConsumerGroup, GroupState
from ottla.groups.consumer.groups import ConsumerGroups

__all__ = ["ConsumerConfig", "ConsumerGroup", "ConsumerGroups", "GroupSettings", "GroupState", "MigrationPolicy"]

"""The feature levels this release knows, those a new cluster begins with, and the record versions that they decide.

Prior art: Kafka's ``Feature``, ``MetadataVersion`` and ``Formatter``. Invariant: a level above what is listed here is
refused at start, because its records could mean something we do not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from ottla.metadata.image import METADATA_VERSION
from ottla.records import cluster_metadata as r

__all__ = ["BOOTSTRAP_LEVELS", "SUPPORTED", "Levels", "bootstrap_records", "record_version", "unsupported"]


class Levels(NamedTuple):
    """The levels of a feature that are supported, both ends included."""

    lowest: int
    highest: int


ELIGIBLE_LEADER_REPLICAS: Final = "eligible.leader.replicas.version"

SUPPORTED: Final[Mapping[str, Levels]] = {
    "group.version": Levels(0, 1),
    "kraft.version": Levels(0, 1),
    METADATA_VERSION: Levels(7, 33),
    "share.version": Levels(0, 2),
    "streams.version": Levels(0, 1),
    "transaction.version": Levels(0, 2),
    ELIGIBLE_LEADER_REPLICAS: Levels(0, 1),
}
"""As Kafka 4.4 registers them."""

BOOTSTRAP_LEVELS: Final[Mapping[str, int]] = {
    METADATA_VERSION: 33,
    ELIGIBLE_LEADER_REPLICAS: 1,
    "group.version": 1,
    "share.version": 2,
    "streams.version": 1,
    "transaction.version": 2,
}
"""Of a cluster formatted by Kafka 4.4, in the order of its bootstrap snapshot."""


def bootstrap_records() -> list[r.FeatureLevelRecord]:
    """What the bootstrap snapshot of a new cluster holds."""
    return [r.FeatureLevelRecord(name=name, feature_level=level) for name, level in BOOTSTRAP_LEVELS.items()]


def unsupported(levels: Mapping[str, int]) -> str | None:
    """The first finalized level that this release does not know, in words; None when it knows all."""
    for name, level in levels.items():
        known = SUPPORTED.get(name)
        if known is None:
            return f"the cluster has feature {name} at level {level}, which this release does not know"
        if not known.lowest <= level <= known.highest:
            return f"the cluster has {name} at level {level}, this release knows {known.lowest} to {known.highest}"
    return None


def record_version(record: object, metadata_version: int) -> int:
    """The version in which a record is written under this level of metadata.version (``MetadataVersion``)."""
    kind = type(record)
    if kind is r.PartitionRecord or kind is r.PartitionChangeRecord:
        return 2 if metadata_version >= 23 else 1 if metadata_version >= 17 else 0
    if kind is r.RegisterBrokerRecord:
        return next(v for v, level in ((4, 30), (3, 17), (2, 8), (1, 0)) if metadata_version >= level)
    if isinstance(record, r.BrokerRegistrationChangeRecord):
        if record.cordoned_log_dirs is not None:
            return 3
        if record.log_dirs:
            return 2
        return 1 if record.in_controlled_shutdown else 0
    return 0

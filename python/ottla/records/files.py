"""Structs of files beside the logs, and the principal of a forwarded request.

Each has a version (int16) before it where it is stored: the principal, the producer snapshot and the entries of a
transaction index. ``quorum-state`` is JSON with the same field names.
"""

from __future__ import annotations

from ottla.wire.schema import Array, Bool, Int16, Int32, Int64, String, Uint32, Uuid, message, struct


@message(valid="0", flexible="0+", kind="data")
class DefaultPrincipalData:
    """A principal, in the Envelope of a forwarded request."""

    type: str = String("0+")
    name: str = String("0+")
    token_authenticated: bool = Bool("0+")


@struct
class ProducerEntry:
    producer_id: int = Int64("1")
    epoch: int = Int16("1")
    last_sequence: int = Int32("1")
    last_offset: int = Int64("1")
    offset_delta: int = Int32("1")
    timestamp: int = Int64("1")
    coordinator_epoch: int = Int32("1")
    current_txn_first_offset: int = Int64("1")


@message(valid="1", kind="data")
class ProducerSnapshot:
    """The idempotent producers of a partition: a ``.snapshot`` file."""

    crc: int = Uint32("1")
    producer_entries: tuple[ProducerEntry, ...] = Array(ProducerEntry, "1")


@struct
class Voter:
    voter_id: int = Int32("0")


@message(valid="0-1", flexible="0+", kind="data")
class QuorumStateData:
    """The ``quorum-state`` file, which holds it as JSON: the vote and the epoch of this replica."""

    cluster_id: str = String("0")
    leader_id: int = Int32("0+", default=-1)
    leader_epoch: int = Int32("0+", default=-1)
    voted_id: int = Int32("0+", default=-1)
    voted_directory_id: bytes = Uuid("1+")
    applied_offset: int = Int64("0")
    current_voters: tuple[Voter, ...] | None = Array(Voter, "0", nullable="0")


@message(valid="0", kind="data")
class AbortedTxn:
    """One entry of a ``.txnindex`` file."""

    producer_id: int = Int64("0+")
    first_offset: int = Int64("0+")
    last_offset: int = Int64("0+")
    last_stable_offset: int = Int64("0+")

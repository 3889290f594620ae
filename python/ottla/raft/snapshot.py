"""What a snapshot of the metadata log holds, as batches: header, quorum, values, footer.

Prior art: Kafka's ``RecordsSnapshotWriter``. Invariant: offsets count from 0, so a file is read without its log.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from ottla.raft import control_records as control
from ottla.raft.log import Batch, SnapshotId
from ottla.raft.voters import VoterSet

__all__ = ["BOOTSTRAP_SNAPSHOT", "RecordCodec", "snapshot_batches"]

BOOTSTRAP_SNAPSHOT: Final = SnapshotId(0, 0)
"""What formatting leaves for a log that is still empty."""


class RecordCodec(Protocol):
    """Metadata records to bytes and back. Pure."""

    def encode(self, record: object, metadata_version: int) -> bytes:
        """The framed value of a record, in the version that this level of metadata.version writes."""

    def decode(self, value: bytes) -> object:
        """The record in a framed value."""


def snapshot_batches(
    snapshot_id: SnapshotId,
    now_ms: int,
    last_timestamp_ms: int,
    quorum: tuple[int, VoterSet] | None,
    values: Iterable[Sequence[bytes]],
) -> Iterable[Batch]:
    """The content of a snapshot file: offsets count from 0, every batch has the epoch of the snapshot's id."""
    header = [control.snapshot_header(last_timestamp_ms)]
    if quorum is not None:
        header += [control.kraft_version(quorum[0]), control.voters(quorum[1])]
    yield Batch(0, snapshot_id.epoch, now_ms, True, header)
    offset = len(header)
    for chunk in values:
        yield Batch(offset, snapshot_id.epoch, now_ms, False, [(None, value) for value in chunk])
        offset += len(chunk)
    yield Batch(offset, snapshot_id.epoch, now_ms, True, [control.snapshot_footer()])

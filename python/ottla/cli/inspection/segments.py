"""Record batches in a file: log segments and metadata snapshots, by batch or by record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, final

from ottla._core import decode_batches
from ottla.cli.inspection.records import decode_record
from ottla.cli.inspection.report import Report, Row
from ottla.cli.output import Progress
from ottla.records import UnknownRecordError
from ottla.wire.codec import WireError

if TYPE_CHECKING:
    from ottla._core import Batch

CHUNK_BYTES: Final = 8 << 20
"""Read at a time; a larger batch makes it larger."""
CODECS: Final = ("none", "gzip", "snappy", "lz4", "zstd")

BATCH_HEADINGS: Final = (
    "position",
    "size",
    "first",
    "last",
    "epoch",
    "records",
    "codec",
    "max_time",
    "producer",
    "producer_epoch",
    "sequence",
    "flags",
)
RECORD_HEADINGS: Final = ("offset", "time", "type", "key", "value", "headers")


@final
class Segment:
    """The walk over one file. Invariant: positions and offsets grow, or there is a problem that says so."""

    def __init__(self, path: Path, kind: str, topic: str | None, *, with_records: bool) -> None:
        self.report = Report(path, kind, RECORD_HEADINGS if with_records else BATCH_HEADINGS)
        self._topic = topic
        self._with_records = with_records
        self._base_offset = int(path.name[:20]) if path.suffix == ".log" else 0
        self._next_offset: int | None = None
        self._epoch = -1
        self._batches = self._records = 0
        self.report.rows = self._rows()

    def _rows(self) -> Iterator[Row]:
        path = self.report.path
        size = path.stat().st_size
        with path.open("rb") as file, Progress(path.name, size, "B") as progress:
            for batch, start in self._walk(file, size, progress):
                self._check(batch, start)
                if self._with_records:
                    yield from self._record_rows(batch, start)
                else:
                    yield _batch_row(batch, start)
        self.report.facts.update(
            bytes=size,
            batches=self._batches,
            records=self._records,
            start_offset=self._base_offset,
            end_offset=self._base_offset if self._next_offset is None else self._next_offset,
        )

    def _walk(self, file: BinaryIO, size: int, progress: Progress) -> Iterator[tuple[Batch, int]]:
        """Each batch, and the byte of the file that its walk began at."""
        start, chunk_bytes = 0, CHUNK_BYTES
        while start < size:
            file.seek(start)
            data = file.read(chunk_bytes)
            walk = decode_batches(data, with_records=self._with_records)
            for batch in walk.batches:
                yield batch, start
            progress.add(walk.end)
            at_end = start + len(data) >= size
            if walk.stop == "fault":
                self.report.problem(f"{walk.fault}; {size - start - walk.end} bytes are left", start + walk.end)
                return
            if walk.stop == "cut off" and at_end:
                left = size - start - walk.end
                self.report.problem(f"the file ends inside a batch, {left} bytes after it begins", start + walk.end)
                return
            # A batch that is larger than what was read needs more at once.
            chunk_bytes = CHUNK_BYTES if walk.batches else chunk_bytes * 2
            start += walk.end

    def _check(self, batch: Batch, start: int) -> None:
        problem = self.report.problem
        if batch.fault is not None:
            problem(f"batch at offset {batch.base_offset}: {batch.fault}", start + (batch.fault_position or 0))
        position = start + batch.position
        least = self._base_offset if self._next_offset is None else self._next_offset
        if batch.base_offset < least:
            problem(f"offsets go back: the batch begins at {batch.base_offset}, {least} is the least it may", position)
        if batch.last_offset < batch.base_offset:
            problem(f"the batch ends at offset {batch.last_offset}, before it begins at {batch.base_offset}", position)
        if 0 <= batch.leader_epoch < self._epoch:
            problem(f"leader epochs go back: {batch.leader_epoch} after {self._epoch}", position)
        self._epoch = max(self._epoch, batch.leader_epoch)
        self._next_offset = max(batch.last_offset + 1, least)
        self._batches += 1
        self._records += batch.record_count

    def _record_rows(self, batch: Batch, start: int) -> Iterator[Row]:
        for record in batch.records:
            if not batch.base_offset <= record.offset <= batch.last_offset:
                self.report.problem(
                    f"record {record.offset} is outside its batch {batch.base_offset} to {batch.last_offset}",
                    start + batch.position,
                )
            try:
                decoded = decode_record(self._topic, batch.control, record)
            except (UnknownRecordError, WireError) as error:
                self.report.problem(f"record {record.offset}: {error}", start + batch.position)
                yield (record.offset, record.timestamp_ms, None, record.key, record.value, dict(record.headers))
                continue
            headers = [list(header) for header in record.headers]
            yield (record.offset, record.timestamp_ms, decoded.type, decoded.key, decoded.value, headers)


def _batch_row(batch: Batch, start: int) -> Row:
    codec = CODECS[batch.codec] if batch.codec < len(CODECS) else batch.codec
    produced = batch.producer_id >= 0
    flags = [
        name
        for name, is_set in (
            ("transactional", batch.transactional),
            ("control", batch.control),
            ("log-append-time", batch.log_append_time),
            ("delete-horizon", batch.delete_horizon_ms is not None),
            ("bad", batch.fault is not None),
        )
        if is_set
    ]
    return (
        start + batch.position,
        batch.size,
        batch.base_offset,
        batch.last_offset,
        batch.leader_epoch,
        batch.record_count,
        codec,
        batch.max_timestamp_ms,
        batch.producer_id if produced else None,
        batch.producer_epoch if produced else None,
        batch.base_sequence if produced and batch.base_sequence >= 0 else None,
        flags,
    )

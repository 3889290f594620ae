"""Record batches that may lie: every field of the header and of each record can be made to say something else than the
truth.

Written by hand beside the broker's own builder, which cannot lie. Compression is the codecs' own Python packages.
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from ottla._core import crc32c

HEADER: Final = struct.Struct(">qiibIhiqqqhii")
CODECS: Final = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
LOG_APPEND_TIME: Final = 1 << 3
TRANSACTIONAL: Final = 1 << 4
CONTROL: Final = 1 << 5
DELETE_HORIZON: Final = 1 << 6


def varint(number: int) -> bytes:
    """Zigzag, as records have it."""
    raw = (number << 1) ^ (number >> 63)
    raw &= (1 << 64) - 1
    out = bytearray()
    while raw >= 0x80:
        out.append(raw & 0x7F | 0x80)
        raw >>= 7
    out.append(raw)
    return bytes(out)


def _field(data: bytes | None) -> bytes:
    return varint(-1) if data is None else varint(len(data)) + data


@dataclass(slots=True)
class LyingRecord:
    """One record; what is None is told as it is."""

    key: bytes | None = b"k"
    value: bytes | None = b"value"
    timestamp_ms: int = 0
    headers: Sequence[tuple[bytes | None, bytes | None]] = ()
    offset_delta: int | None = None
    length: int | None = None
    header_count: int | None = None
    raw: bytes | None = None
    """All of it, instead of everything else."""

    def encode(self, at: int, base_timestamp_ms: int) -> bytes:
        if self.raw is not None:
            return self.raw
        body = b"\0" + varint(self.timestamp_ms - base_timestamp_ms)
        body += varint(at if self.offset_delta is None else self.offset_delta)
        body += _field(self.key) + _field(self.value)
        body += varint(len(self.headers) if self.header_count is None else self.header_count)
        for key, value in self.headers:
            body += _field(key) + _field(value)
        return varint(len(body) if self.length is None else self.length) + body


@dataclass(slots=True)
class LyingBatch:
    """One batch; what is None is told as it is."""

    records: Sequence[LyingRecord] = field(default_factory=lambda: [LyingRecord()])
    codec: str = "none"
    base_offset: int = 0
    length: int | None = None
    leader_epoch: int = -1
    magic: int = 2
    checksum: int | None = None
    flags: int = 0
    codec_bits: int | None = None
    last_offset_delta: int | None = None
    base_timestamp_ms: int | None = None
    max_timestamp_ms: int | None = None
    producer_id: int = -1
    producer_epoch: int = -1
    base_sequence: int = -1
    count: int | None = None
    payload: bytes | None = None
    """What follows the header, instead of the records."""

    def encode(self) -> bytes:
        times = [record.timestamp_ms for record in self.records]
        base_ms = self.base_timestamp_ms if self.base_timestamp_ms is not None else (times[0] if times else 0)
        max_ms = self.max_timestamp_ms if self.max_timestamp_ms is not None else max(times, default=-1)
        plain = b"".join(record.encode(at, base_ms) for at, record in enumerate(self.records))
        payload = compress(self.codec, plain) if self.payload is None else self.payload
        attributes = (CODECS[self.codec] if self.codec_bits is None else self.codec_bits) | self.flags
        count = len(self.records)
        covered = HEADER.pack(
            0,
            0,
            0,
            0,
            0,
            attributes,
            count - 1 if self.last_offset_delta is None else self.last_offset_delta,
            base_ms,
            max_ms,
            self.producer_id,
            self.producer_epoch,
            self.base_sequence,
            count if self.count is None else self.count,
        )[21:]
        covered += payload
        checksum = crc32c(covered) if self.checksum is None else self.checksum
        length = len(covered) + 9 if self.length is None else self.length
        front = struct.pack(">qiibI", self.base_offset, length, self.leader_epoch, self.magic, checksum)
        return front + covered


def compress(codec: str, data: bytes) -> bytes:
    """As a Java client would, but for the levels."""
    match codec:
        case "gzip":
            return gzip.compress(data, 1, mtime=0)
        case "snappy":
            import snappy

            packed: bytes = snappy.compress(data)
            return packed
        case "lz4":
            import lz4.frame

            framed: bytes = lz4.frame.compress(data, block_linked=False)
            return framed
        case "zstd":
            import zstandard

            return zstandard.ZstdCompressor(level=1).compress(data)
        case _:
            return data


def batch_of(count: int, timestamp_ms: int, value: bytes = b"value", **lies: object) -> bytes:
    """A batch of so many like records, true but for the fields named."""
    records = [LyingRecord(value=value, timestamp_ms=timestamp_ms) for _ in range(count)]
    return LyingBatch(records, **lies).encode()  # type: ignore[arg-type]

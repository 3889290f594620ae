"""Metadata records between the log and the rest: the version each is written in, and its frame.

A creation of thousands of partitions encodes as many records of one class and version: the frame and the program of
each such pair are looked up once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from ottla.metadata.features import record_version
from ottla.records import CLUSTER_METADATA, framed_format
from ottla.wire.program import program_of
from ottla.wire.schema import schema_of

__all__ = ["MetadataCodec"]

_FRAME_VERSION = 1


@final
class MetadataCodec:
    """``raft.snapshot.RecordCodec`` over the declarations of ``ottla.records``."""

    def __init__(self) -> None:
        self._format = framed_format(CLUSTER_METADATA)
        self._encoders: dict[tuple[type, int], tuple[bytes, Callable[[object], bytes]]] = {}

    def encode(self, record: object, metadata_version: int) -> bytes:
        kind, version = type(record), record_version(record, metadata_version)
        encoder = self._encoders.get((kind, version))
        if encoder is None:
            record_id = schema_of(record).api_key
            assert record_id is not None
            assert max(record_id, version) < 0x80, "one byte each as unsigned varints"
            frame = bytes((_FRAME_VERSION, record_id, version))
            encoder = self._encoders[kind, version] = (frame, program_of(kind, version).encode)
        return encoder[0] + encoder[1](record)

    def decode(self, value: bytes) -> object:
        """Raises WireError or UnknownRecordError, both ValueErrors."""
        record: object = self._format.decode_value(value)[0]
        return record

"""Metadata records between the log and the rest: the version each is written in, and its frame."""

from __future__ import annotations

from typing import final

from ottla.metadata.features import record_version
from ottla.records import CLUSTER_METADATA, framed_format

__all__ = ["MetadataCodec"]


@final
class MetadataCodec:
    """``raft.client.RecordCodec`` over the declarations of ``ottla.records``."""

    def __init__(self) -> None:
        self._format = framed_format(CLUSTER_METADATA)

    def encode(self, record: object, metadata_version: int) -> bytes:
        return self._format.encode_value(record, record_version(record, metadata_version))

    def decode(self, value: bytes) -> object:
        """Raises WireError or UnknownRecordError, both ValueErrors."""
        record: object = self._format.decode_value(value)[0]
        return record

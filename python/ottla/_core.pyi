"""The extension module: what the data plane, written in Rust, shows to Python."""

from collections.abc import Sequence
from typing import Any, final

__version__: str

# --- codec: programs of messages -------------------------------------------------------------------------------------

class WireError(ValueError):
    """Bytes that are no message, or a message that has no bytes: which message and version, which field, where."""

@final
class Program:
    """A message in one version, ready to be read and written. Immutable; any thread; never blocks."""

    def __new__(
        cls,
        name: str,
        structs: list[tuple[type, bool, list[tuple[str, int, int, int, int, Any]]]],
        watch: str,
    ) -> Program:
        """Takes the structs of a message, each after those it contains, the message last.

        A struct is its slotted class, whether it ends with a tag section, and a row per field: attribute, kind
        (``ottla.wire.schema.Kind``), flags (``ottla.wire.program``), index of its struct, tag, default. ``watch``
        names the field of the message whose place ``encode_watched`` tells. ``name`` is for errors.
        Raises ``ValueError`` for rows that make no program.
        """

    def decode(self, data: bytes, offset: int = 0) -> Any:
        """The message that begins at ``offset``; bytes behind it are left alone. Raises ``WireError``."""

    def decode_prefix(self, data: bytes, offset: int = 0) -> tuple[Any, int]:
        """As ``decode``, and where the message ends."""

    def encode(self, message: object) -> bytes:
        """The bytes of a message of the program's class. Raises ``WireError``."""

    def encode_watched(self, message: object) -> tuple[bytes, int | None]:
        """As ``encode``, and where in the bytes the watched field begins; ``None`` when this version has it not."""

# --- records: batches for tools and clients ---------------------------------------------------------------------------

@final
class Record:
    """One record of a batch. Immutable."""

    offset: int
    timestamp_ms: int
    """Of the record, or of the append where the batch says so."""
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    """In order; a name that is not UTF-8 has replacement characters."""
    size: int
    """Bytes it takes in its batch, decompressed."""

@final
class Batch:
    """One batch of magic 2. Immutable."""

    position: int
    """Where it begins in the data."""
    size: int
    """Bytes, header included."""
    base_offset: int
    last_offset: int
    leader_epoch: int
    checksum: int
    """As stored: CRC-32C."""
    codec: int
    """0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd; more is a fault."""
    log_append_time: bool
    transactional: bool
    control: bool
    delete_horizon_ms: int | None
    """When tombstones and markers in it may go; None before the cleaner has set it."""
    base_timestamp_ms: int
    max_timestamp_ms: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    last_sequence: int
    record_count: int
    """As the header says."""
    records: list[Record]
    """Those before the fault, if there is one; none when they were not asked for."""
    fault: str | None
    """What is wrong inside the batch."""
    fault_position: int | None
    """The byte of the data it is at."""

@final
class Walk:
    """The batches that lie one behind another, and where and why that ended. Immutable."""

    batches: list[Batch]
    end: int
    """The byte behind the last batch."""
    stop: str
    """`end`: the data ends there. `cut off`: a batch begins there that goes on behind the data. `full`: enough is held,
    call again from `end`. `fault`: what is there is no batch."""
    fault: str | None
    """With `fault`: why not."""

def build_batch(
    records: Sequence[tuple[bytes | None, bytes | None, int, Sequence[tuple[str, bytes | None]]]],
    *,
    codec: int = 0,
    level: int | None = None,
    base_offset: int = 0,
    leader_epoch: int = -1,
    producer_id: int = -1,
    producer_epoch: int = -1,
    base_sequence: int = -1,
    transactional: bool = False,
    control: bool = False,
) -> bytes:
    """The batch of these records: (key, value, milliseconds, headers) each. Compresses without the interpreter lock.

    Raises ``ValueError`` for a codec that does not exist, or when the records do not fit a batch.
    """

def decode_batches(data: bytes, position: int = 0, *, with_records: bool = True) -> Walk:
    """The batches in `data` from `position` on, checked: checksum, compression, each record. Never raises for `data`.

    Checks and decompresses without the interpreter lock; a batch decompresses to at most 100 MiB.
    """

def crc32c(data: bytes) -> int:
    """The CRC-32C (Castagnoli) of `data`: the checksum of batches and producer snapshots."""

"""The extension module: what the data plane, written in Rust, shows to Python."""

from collections.abc import Sequence
from typing import Any, final

__all__ = [
    "Batch",
    "Cluster",
    "Encoded",
    "Engine",
    "OffsetTable",
    "Program",
    "Record",
    "Standing",
    "TopicSettings",
    "Walk",
    "WireError",
    "__version__",
    "build_batch",
    "crc32c",
    "decode_batches",
    "fetched_nothing",
    "java_string_hash",
    "offset_key",
    "offset_record",
    "recode_request",
    "recode_response",
]

__version__: str

# --- codec: programs of messages -------------------------------------------------------------------------------------

class WireError(ValueError):
    """Bytes that are no message, or a message that has no bytes: which message and version, which field, where."""

@final
class Encoded:
    """An array of a message as bytes, its length in front: ``Program.encode`` takes it in the place of a tuple, and
    writes it as it is. It was made for one version of one message. Immutable."""

    def __bytes__(self) -> bytes: ...

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

def recode_request(frame: bytes) -> bytes:
    """A request, header and body, read and written again by the data plane's own codec: for tests of that codec.

    Produce, Fetch, ListOffsets, Metadata, ApiVersions, OffsetForLeaderEpoch. A client id of null becomes an empty one,
    and unknown tagged fields are gone. Raises ``ValueError`` for bytes that are no such request.
    """

def recode_response(api_key: int, version: int, frame: bytes) -> bytes:
    """As ``recode_request``, of a response. Raises ``ValueError``."""

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

# --- groups ----------------------------------------------------------------------------------------------------------

def java_string_hash(text: str) -> int:
    """``String.hashCode`` of Java: over UTF-16 code units, in 32 bits with sign."""

# --- groups: committed offsets ----------------------------------------------------------------------------------------

@final
class OffsetTable:
    """The committed offsets of one partition of ``__consumer_offsets``, and those of open transactions. No decisions.

    Some 110 bytes an offset, and its metadata; names are kept once each. A load that was begun with it
    (``Engine.coordinator_load``) fills it from another thread, and until that has ended nobody else may call it. From
    ``open`` to ``close`` the data plane reads it, and commits into it for those who were granted it: each call is one
    step to it. Never blocks otherwise.
    """

    def __new__(cls) -> OffsetTable: ...
    def __len__(self) -> int:
        """How many offsets are committed."""

    def apply(self, key: bytes, value: bytes | None, is_committed: bool = False) -> str | None:
        """Takes a record that belongs to no transaction, or to one that was committed: it counts, and overtakes what is
        pending. Without a value the offset is deleted, with what is pending for it. Returns the group that has
        committed something; None when something was deleted. Raises ``WireError`` for bytes that are none or of a
        version that is not known, ``ValueError`` for a record of another kind; nothing has changed then. Until what
        is not ``is_committed`` is settled, the data plane leaves the group's offsets to whoever applied it."""

    def apply_pending(self, producer_id: int, key: bytes, value: bytes | None) -> str | None:
        """As ``apply``, of a record in a producer's open transaction: it counts once that is committed."""

    def end_transaction(self, producer_id: int, committed: bool) -> None:
        """What the producer left pending is committed or forgotten."""

    def open(self, leader_epoch: int, metadata_chars_max: int, timeout_ms: int, codec: int) -> None:
        """The load is done, and the coordinator at work under this epoch of its log: the data plane may answer
        OffsetFetch, and OffsetCommit for whom ``grant`` names, each commit a batch with ``codec`` (as in the attributes
        of batches) that may take ``timeout_ms``."""

    def close(self) -> None:
        """The coordinator is given up. What the data plane is writing by then comes before the next load."""

    def grant(self, group: str, member_id: str, instance_id: str | None, epoch: int, version: int) -> None:
        """Whoever commits under exactly these, in this version of OffsetCommit or a later one, may, until
        ``withdraw``."""

    def withdraw(self, group: str) -> list[tuple[str, int]]:
        """Nobody of the group may commit unasked any more. To be called before anything changes that the coordinator
        looks at when it is asked; what was let in before counts as older than that. Returns which members were let
        in since they were granted it, and when last, as ``last_commit_ms``."""

    def last_commit_ms(self, group: str, member_id: str) -> int | None:
        """When the data plane last let this member commit, on the clock that the load was given the zero of; None if it
        did not since the grant."""

    def seal(self) -> int | None:
        """A mark for what was applied up to now and is not committed; None when nothing was since the last mark."""

    def settle(self, mark: int) -> None:
        """All that was applied up to the mark is committed."""

    def has_pending(self, group: str) -> bool:
        """Is a transaction open that is about to commit something for the group?"""

    def groups(self) -> list[str]:
        """The groups that have committed something, or are about to, in no order that means something."""

    def topics(self, group: str) -> list[str]:
        """The topics of which the group has committed a partition."""

    def committed(self, group: str) -> list[tuple[str, int, tuple[int, int, str, int, int, bytes]]]:
        """Everything the group has committed: (topic, partition, (offset, leader epoch, metadata, time of the commit,
        time of expiry, topic id)); epochs and times are -1 and ids zero where they are not known."""

    def scan(self, group: str, topic: str, after: int | None, rows_max: int) -> list[tuple[int, int, int, bytes]]:
        """What the group has committed of the topic, in the order of partitions, behind ``after`` where that is given,
        at most so many: (partition, time of the commit, time of expiry, topic id)."""

    def pending(self, group: str) -> list[tuple[str, int, list[bytes]]]:
        """The partitions for which a transaction is open: (topic, partition, the topic ids of what may come of it)."""

    def being_written(self, group: str) -> list[tuple[str, int, bytes]]:
        """What the data plane has let in and will be committed, unless something is applied for it meanwhile: (topic,
        partition, topic id). Once a group is withdrawn, nothing is added."""

    def has_any(self, group: str) -> bool:
        """Has the group committed something, or is it about to, in a transaction or below?"""

    def is_pending(self, group: str, topic: str, partition: int) -> bool:
        """Is a transaction open that is about to commit this?"""

    def is_known(self, group: str, topic: str, partition: int) -> bool:
        """Is there something to delete?"""

    def fetch(
        self,
        version: int,
        group: str,
        topic: str,
        topic_id: bytes,
        partitions: tuple[int, ...] | None,
        require_stable: bool,
    ) -> Encoded:
        """The partitions of one topic in an answer to OffsetFetch: those asked for, or all. What has no offset, or one
        of another topic of that name (zero is any), is -1; with ``require_stable``, where a transaction is open,
        UNSTABLE_OFFSET_COMMIT."""

def fetched_nothing(version: int, partitions: tuple[int, ...], error_code: int) -> Encoded:
    """The partitions of one topic in an answer to OffsetFetch without any offset. Raises ``ValueError`` for an error
    that does not exist."""

def offset_record(
    group: str,
    topic: str,
    partition: int,
    offset: int,
    leader_epoch: int,
    metadata: str | None,
    commit_timestamp_ms: int,
    expire_timestamp_ms: int,
    topic_id: bytes,
) -> tuple[bytes, bytes]:
    """Key and value of a committed offset, as Kafka 4.4 writes it: with an expiry (not -1) in the version that has no
    place for leader epoch and topic id. Raises ``WireError`` for a text that is too long."""

def offset_key(group: str, topic: str, partition: int) -> bytes:
    """The key alone: with no value it deletes. Raises ``WireError``."""

# --- engine: the data plane of one broker ----------------------------------------------------------------------------

@final
class TopicSettings:
    """The settings of a topic in the form that logs and Produce share. Immutable; any thread."""

    def __new__(
        cls,
        *,
        max_message_bytes: int,
        segment_bytes: int,
        segment_ms: int,
        segment_jitter_ms: int,
        index_bytes: int,
        index_interval_bytes: int,
        compression_type: str,
        compression_level: int | None,
        log_append_time: bool,
        timestamp_before_max_ms: int,
        timestamp_after_max_ms: int,
        compacted: bool,
        delete_policy: bool,
        max_decompressed_message_bytes: int,
        min_insync_replicas: int,
        retention_ms: int,
        retention_bytes: int,
        flush_messages: int,
        flush_ms: int,
        file_delete_delay_ms: int,
        producer_id_expiration_ms: int,
    ) -> TopicSettings:
        """As the topic configs of the same names; negative limits, and the largest number, are no limit."""

@final
class Cluster:
    """What holds for the cluster as a whole, for Metadata and ApiVersions. Immutable; any thread."""

    def __new__(
        cls,
        *,
        cluster_id: str,
        controller_id: int,
        brokers: list[tuple[int, str | None, list[tuple[str, str, int]]]],
        features: list[tuple[str, int, int, int]],
        metadata_offset: int,
        auto_create_topics: bool,
    ) -> Cluster:
        """``brokers``: (id, rack, [(listener, host, port)]), alive ones; an empty host is the address a client came by.
        ``features``: (name, lowest and highest supported level, finalized level or 0). ``metadata_offset``: of the last
        record that is reflected."""

@final
class Standing:
    """An answer that a connection may give again, without Python: one word that both sides change at once. Any thread;
    never blocks. Keeps neither the connection nor the answer alive."""

    def __new__(cls, used_ms: int, until_ms: int, zero_ms: int) -> Standing:
        """Given first at ``used_ms``; not from ``until_ms`` on. Both on a clock that shows ``zero_ms`` when the
        engine's shows zero, and so are all other times."""

    def used_ms(self) -> int:
        """When it was given last."""

    def withdraw(self) -> int:
        """Ends it, for good, and says when it was given last; it is not given after that."""

@final
class Engine:
    """Sockets, logs, Produce and Fetch of one broker. Its threads never take the interpreter lock; they live until
    ``stop``.

    Calls that take a ``ticket`` return at once; the end of what they began comes through ``drain`` under that ticket.
    They are carried out in the order they were made. One thread drains and calls; the others may only ``stop``.
    """

    def __new__(
        cls,
        data_dir: str,
        node_id: int,
        waker: int,
        apis: list[tuple[int, int, int, int, int, bool, int]],
        network_threads: int,
        frame_bytes_max: int,
        idle_ms_max: int,
        fetch_bytes_max: int,
        fetch_sessions_max: int,
        periods: tuple[int, int, int, int, int],
    ) -> Engine:
        """Locks the directory (made when missing) and starts the threads; blocks for some milliseconds. A byte is
        written to a duplicate of descriptor ``waker`` when ``drain`` has something. ``apis``: (key, first and last
        version accepted, first and last advertised, whether Python answers, lane). Raises ``OSError``, worded for
        people."""

    def drain(
        self, requests_max: int
    ) -> tuple[
        list[tuple[int, bool, Any]],
        list[tuple[str, str]],
        list[tuple[int, int, int, str, int, str, str, str, tuple[str, int], int, bool, bytes]],
        list[str],
    ]:
        """What came up, without waiting: ends of commands (ticket, succeeded, value or reason), facts (subject, text),
        at most ``requests_max`` requests (see ``dataplane.Request``), and why connections were closed."""

    def adopt(self, fd: int, listener: str, peer_host: str, local_host: str, local_port: int) -> None:
        """Takes over an accepted socket that its Python object has let go of. Never blocks. Raises ``OSError`` when the
        peer is gone already; the descriptor is closed then too."""

    def reply(self, answers: list[tuple[int, bytes | None]]) -> None:
        """Bodies of responses, by request id; None for a request that asked for leave and has it: the data plane
        handles it itself. Never blocks; what a connection is gone for is dropped."""

    def reply_standing(self, answers: list[tuple[int, bytes, Standing]]) -> None:
        """As ``reply``; later requests of the same bytes on the same connection get the same, for as long as it stands.
        A connection that has no room for it gives it once."""

    def clock_ms(self) -> int:
        """Milliseconds since the engine started."""

    def refuse(self, request_id: int, reason: str) -> None:
        """Closes the connection of a request. Never blocks."""

    def install(
        self,
        cluster: Cluster | None,
        topics: Sequence[
            tuple[
                bytes,
                str,
                bool,
                int,
                Sequence[tuple[int, int, int, int, tuple[int, ...], tuple[int, ...], tuple[int, ...]]],
            ]
        ],
        removed: list[bytes],
    ) -> None:
        """Changes the View. ``topics``: (id, name, internal, partition count, changed partitions as
        ``metadata.view.PartitionView``). Never blocks; replies given later do not overtake it."""

    def lead(
        self,
        ticket: int,
        partitions: list[tuple[bytes, str, int, int, int, list[int], list[int], TopicSettings]],
    ) -> None:
        """Opens or creates, recovers and leads: (topic id, name, partition, leader epoch, partition epoch, replicas,
        isr, settings). Value: a list of (topic id, partition, bytes checked, error or None)."""

    def stop_partitions(self, ticket: int, partitions: list[tuple[bytes, str, int]], delete: bool) -> None:
        """Gives up partitions (topic id, topic, partition), and their logs with ``delete``. Value: None."""

    def configure(self, ticket: int, topic_id: bytes, topic: str, settings: TopicSettings) -> None:
        """The settings of a topic changed. Value: None."""

    def describe_logs(self, ticket: int) -> None:
        """Value: (directory, total bytes, usable bytes, [(topic, partition, bytes, log start, log end)])."""

    def stray_logs(self, ticket: int, keep: list[tuple[bytes, int]]) -> None:
        """Renames logs that are on disk and not in ``keep`` (topic id, partition). Value: the new names."""

    def metadata_open(self, ticket: int) -> None:
        """Opens and recovers the metadata log. Value: (start, end, last epoch, bytes, [(end offset, epoch, bytes)])."""

    def metadata_append(
        self,
        ticket: int,
        base_offset: int,
        epoch: int,
        timestamp_ms: int,
        control: bool,
        records: list[tuple[bytes | None, bytes | None]],
    ) -> None:
        """Appends one batch of (key, value); ends when it is durable. Value: bytes of the log."""

    def metadata_read(self, ticket: int, from_offset: int, bytes_max: int) -> None:
        """Value: a list of (offset, epoch, timestamp, control, key, value)."""

    def metadata_truncate_prefix(self, ticket: int, new_start_offset: int) -> None:
        """Raises the start of the metadata log. Value: bytes of the log."""

    def snapshots(self, ticket: int) -> None:
        """Value: [(end offset, epoch, bytes)], ascending."""

    def snapshot_write(
        self,
        ticket: int,
        end_offset: int,
        epoch: int,
        batches: list[tuple[int, int, int, bool, list[tuple[bytes | None, bytes | None]]]],
    ) -> None:
        """Writes a snapshot of (base offset, epoch, timestamp, control, records); durable at its end. Value: None."""

    def snapshot_read(self, ticket: int, end_offset: int, epoch: int, from_offset: int, bytes_max: int) -> None:
        """Value: as ``metadata_read``."""

    def snapshots_delete_before(self, ticket: int, end_offset: int, epoch: int) -> None:
        """Value: None."""

    def quorum_state_read(self, ticket: int) -> None:
        """Value: the content, or None."""

    def quorum_state_write(self, ticket: int, content: bytes) -> None:
        """Durable at its end. Value: None."""

    def coordinator_append(
        self,
        ticket: int,
        topic_id: bytes,
        partition: int,
        leader_epoch: int,
        records: Sequence[tuple[bytes, bytes | None, int]],
        codec: int,
        timeout_ms: int,
    ) -> None:
        """Appends (key, value, wall clock ms) as one batch with acks=all, in the order of the calls; ends when they are
        committed. ``codec``: 0 (none) to 4 (zstd), or ``ValueError``. Value, of all ``coordinator_…``: (error code or
        0, words or None, rows). Never blocks."""

    def coordinator_load(
        self, ticket: int, topic_id: bytes, partition: int, leader_epoch: int, intake: OffsetTable | None, zero_ms: int
    ) -> None:
        """Begins to read what the log holds after every append begun before; the ticket names it. Committed offsets go
        into ``intake``, where there is one, and do not come up; once that is open, the data plane works with it, and
        tells times with its own zero at ``zero_ms``. No rows; an error shows in ``coordinator_next``. Never
        blocks."""

    def coordinator_next(self, ticket: int, load: int) -> None:
        """Some rows more, one call at a time: (key, value, wall clock ms, offset, producer id, producer epoch). None
        at the end, when everything is committed. Never blocks; engine threads read."""

    def coordinator_close(self, ticket: int, load: int) -> None:
        """Frees what a load holds. No rows. Never blocks."""

    def transactional_append(
        self,
        ticket: int,
        topic_id: bytes,
        partition: int,
        leader_epoch: int,
        records: Sequence[tuple[bytes, bytes | None, int]],
        codec: int,
        writer: tuple[int, int, int | None],
        timeout_ms: int,
    ) -> None:
        """As ``coordinator_append``, in the transaction of ``writer``: (producer id, its epoch, guard).
        INVALID_TXN_STATE when the guard is worthless; without one, when the transaction is not open here."""

    def coordinator_claim(
        self, ticket: int, topic_id: bytes, partition: int, leader_epoch: int, producer_id: int, producer_epoch: int
    ) -> None:
        """Takes a guard. Value: (error code, words or None, [guard]), or no guard when the transaction is open."""

    def coordinator_mark(
        self,
        ticket: int,
        topic_id: bytes,
        partition: int,
        leader_epoch: int,
        marker: tuple[int, int, int, bool, int],
        timeout_ms: int,
    ) -> None:
        """Ends a transaction in a coordinator's log; ``marker``: (producer id, its epoch, coordinator epoch, committed,
        version of transactions). Value: as ``coordinator_append``."""

    def append_markers(
        self, ticket: int, rows: Sequence[tuple[bytes, int, int, int, int, bool, int]], timeout_ms: int
    ) -> None:
        """Ends transactions on partitions led here; ``rows`` as ``dataplane.MarkerRow``. Value: a code for each row,
        when all are committed, refused or out of time."""

    def describe_producers(self, ticket: int, partitions: Sequence[tuple[bytes, int]]) -> None:
        """Value: for each (topic id, partition) an error code and the producers, as ``dataplane.ActiveProducer``."""

    def take_questions(self) -> list[tuple[int, str, int, int, bool, list[tuple[str, int]]]]:
        """The questions that came since the last call, as ``dataplane.Question``. Never blocks."""

    def answer(self, question_id: int, codes: Sequence[int]) -> None:
        """A code for each partition of a question. Never blocks; dropped when nobody waits for it."""

    def configure_questions(self, verifies: bool, timeout_ms: int) -> None:
        """Whether transactions of the first version are verified at all, and how long an answer may take. Never
        blocks."""

    def connection_census(self, listener: str, host: str) -> tuple[int, int, int]:
        """How many connections are open: all, on this listener, from this address. Never blocks."""

    def watch_connections(self) -> None:
        """The next connection that ends is told as a fact, ``connection gone``. Never blocks."""

    def evict_connection(self, protected: str) -> bool:
        """Ends the connection idle for the longest time, of those that did not come in on this listener; whether there
        was one. Never blocks."""

    def connection_count(self) -> int:
        """Connections that are open."""

    def read_file(self, name: str) -> bytes | None:
        """A small file of the directory; blocks. Raises ``OSError``."""

    def write_file(self, name: str, content: bytes) -> None:
        """Replaces a small file of the directory, durably; blocks. Raises ``OSError``."""

    def clean_broker_epoch(self) -> int:
        """The broker epoch in the clean-shutdown marker, -1 without one; blocks. To be asked before the first
        ``lead``."""

    def stop(self, broker_epoch: int) -> list[str]:
        """Ends connections and threads, flushes and closes every log, marks the directory clean. Blocks without the
        interpreter lock. Returns what did not go well. Does nothing the second time."""

    def abandon(self) -> None:
        """Ends connections and threads and leaves the directory as a crash would. Blocks without the interpreter lock.
        Does nothing after ``stop``."""

"""Write lines of standard input to a topic, one record per line.

With -K the key stands before the separator, with -H every record carries these headers. An empty value after a
separator is a null (a tombstone) with -Z. Records are idempotent with acks=all: a retry never makes a second copy.
"""

from __future__ import annotations

import os
import select
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from random import Random
from typing import Final, NamedTuple, TypeAlias, final

from ottla._core import build_batch
from ottla.cli import output
from ottla.cli.client import RETRIABLE, Client, Retry, add_client_arguments, client_of, refusal
from ottla.cli.errors import DONE, CommandError, UnreachableError, UsageError
from ottla.cli.partitioner import Partitioner
from ottla.errors import ErrorCode
from ottla.wire.k00_produce import PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData
from ottla.wire.k22_init_producer_id import InitProducerIdRequest

CODECS: Final = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
ACKS: Final = {"0": 0, "1": 1, "all": -1, "-1": -1}
BATCH_BYTES: Final = 256 * 1024
"""A batch is sent at this size, uncompressed: a quarter of what a topic takes by default."""
READ_BYTES: Final = 256 * 1024
LINE_BYTES_MAX: Final = 64 * 1024 * 1024
"""A longer line is no record of any topic."""
RECORD_OVERHEAD_BYTES: Final = 24
"""More than the lengths and deltas of a record take."""
_NO_PRODUCER: Final = -1
_SEQUENCES: Final = 1 << 31

Headers: TypeAlias = "tuple[tuple[str, bytes | None], ...]"
Record: TypeAlias = "tuple[bytes | None, bytes | None, int, Headers]"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("topic", metavar="TOPIC")
    parser.add_argument("-K", "--key-separator", metavar="TEXT", help="what parts key and value of a line")
    parser.add_argument("-H", "--header", action="append", default=[], metavar="NAME=VALUE", help="repeatable")
    parser.add_argument("-Z", "--null", action="store_true", help="an empty key or value is a null")
    parser.add_argument("-p", "--partition", type=int, help="all to this one (by key, as Kafka's clients do)")
    parser.add_argument("-a", "--acks", choices=tuple(ACKS), default="all", help="who confirms (all in sync)")
    parser.add_argument("-z", "--compression", choices=tuple(CODECS), default="none", help="codec (none)")
    parser.add_argument("--no-idempotence", action="store_true", help="without producer id and sequence numbers")
    parser.add_argument("--create", action="store_true", help="create the topic if the broker does that by itself")
    parser.add_argument("--json", action="store_true", help="say at the end what was written, as JSON")
    add_client_arguments(parser)


def run(args: Namespace) -> int:
    """Blocking. Raises `CommandError`."""
    headers = tuple(map(_header, args.header))
    separator = os.fsencode(args.key_separator) if args.key_separator else None
    started = time.monotonic()
    with client_of(args) as client, output.Progress(args.topic, None, "records") as progress:
        writer = Writer(client, args.topic, args, Random())
        for lines in _lines(sys.stdin.fileno()):
            for line in lines:
                key, value = _split(line, separator, args.null)
                writer.add(key, value, time.time_ns() // 1_000_000, headers)
            if not lines:
                writer.flush()
            progress.add(len(lines))
        writer.flush()
    _summary(args, writer, time.monotonic() - started)
    return DONE


def _summary(args: Namespace, writer: Writer, seconds: float) -> None:
    if args.json:
        facts = {"topic": args.topic, "records": writer.records, "bytes": writer.bytes, "seconds": round(seconds, 3)}
        offsets = {str(partition): offset for partition, offset in sorted(writer.next_offsets.items())}
        sys.stdout.write(output.json_line(facts | {"next_offsets": offsets}))
    elif sys.stderr.isatty():
        words = f"{output.number(writer.records)} records, {output.size(writer.bytes)}, to {args.topic}"
        sys.stderr.write(f"{words} in {seconds:.1f} s\n")


def _lines(descriptor: int) -> Iterator[list[bytes]]:
    """The lines of a file, as many as are there at a time; an empty list where the next ones must be waited for."""
    rest = b""
    while True:
        if not select.select([descriptor], [], [], 0)[0]:
            yield []
        part = os.read(descriptor, READ_BYTES)
        if not part:
            break
        lines = (rest + part).split(b"\n")
        rest = lines.pop()
        if len(rest) > LINE_BYTES_MAX:
            raise CommandError(f"a line of standard input is longer than {output.size(LINE_BYTES_MAX)}")
        if lines:
            yield lines
    if rest:
        yield [rest]


def _split(line: bytes, separator: bytes | None, nulls: bool) -> tuple[bytes | None, bytes | None]:
    key: bytes | None = None
    value: bytes | None = line
    if separator is not None:
        before, found, after = line.partition(separator)
        if found:
            key, value = before, after
    if nulls:
        key, value = key or None, value or None
    return key, value


def _header(text: str) -> tuple[str, bytes | None]:
    name, equals, value = text.partition("=")
    if not name:
        raise UsageError(f"-H {text}: expected NAME=VALUE")
    return name, os.fsencode(value) if equals else None


@final
class _Pending(NamedTuple):
    """The records of one partition that are not sent yet."""

    records: list[Record]
    size: list[int]
    """One number: their bytes, about."""


@final
class Writer:
    """Batches per partition, sent when one is full or `flush` says so; one request per broker is under way at a time.

    Invariant: a batch keeps its sequence numbers until it is acknowledged, so that a retry cannot double it.
    """

    def __init__(self, client: Client, topic: str, args: Namespace, random: Random) -> None:
        self.records = 0
        self.bytes = 0
        self.next_offsets: dict[int, int] = {}
        """Of each partition written to: the offset after the last record acknowledged."""
        self._client = client
        self._name = topic
        self._create = args.create
        self._acks = ACKS[args.acks]
        self._codec = CODECS[args.compression]
        self._topic = client.topic(topic, create=args.create)
        count = len(self._topic.partitions)
        if args.partition is not None and not 0 <= args.partition < count:
            raise UsageError(f"{topic} has no partition {args.partition}: it has {count}, counted from 0")
        self._fixed: int | None = args.partition
        self._partitioner = Partitioner(count, random)
        self._pending: dict[int, _Pending] = {}
        self._sequences: dict[int, int] = {}
        self._producer_id, self._producer_epoch = _NO_PRODUCER, _NO_PRODUCER
        if self._acks == -1 and not args.no_idempotence:
            self._producer_id, self._producer_epoch = self._new_producer()

    def add(self, key: bytes | None, value: bytes | None, timestamp_ms: int, headers: Headers) -> None:
        """Takes a record; sends when a batch is full. Raises `CommandError`."""
        partition = self._partitioner.choose(key) if self._fixed is None else self._fixed
        pending = self._pending.get(partition)
        if pending is None:
            pending = self._pending[partition] = _Pending([], [0])
        size = RECORD_OVERHEAD_BYTES + len(key or b"") + len(value or b"")
        size += sum(len(name) + len(content or b"") + 8 for name, content in headers)
        pending.records.append((key, value, timestamp_ms, headers))
        pending.size[0] += size
        self.bytes += len(key or b"") + len(value or b"")
        if pending.size[0] >= BATCH_BYTES:
            self._partitioner.batch_done(partition)
            self.flush()

    def flush(self) -> None:
        """Sends everything and waits until it is acknowledged. Raises `CommandError`."""
        waiting = {partition: pending.records for partition, pending in self._pending.items()}
        self._pending.clear()
        if waiting:
            self._client.retrying(lambda: self._send(waiting))

    def _new_producer(self) -> tuple[int, int]:
        def ask() -> tuple[int, int]:
            request = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=0)
            response = self._client.request(request)
            if response.error_code in RETRIABLE:
                raise Retry(refusal("a producer id", response.error_code))
            if response.error_code != ErrorCode.NONE:
                raise refusal("a producer id", response.error_code)
            return response.producer_id, response.producer_epoch

        return self._client.retrying(ask)

    def _send(self, waiting: dict[int, list[Record]]) -> None:
        """One attempt at all of `waiting`; what is acknowledged is taken out. Raises `Retry` for the rest."""
        later: CommandError | None = None
        by_leader: dict[int, list[int]] = {}
        for partition in self._topic.partitions:
            if partition.partition_index in waiting:
                by_leader.setdefault(partition.leader_id, []).append(partition.partition_index)
        for leader, partitions in by_leader.items():
            try:
                later = self._send_to(leader, partitions, waiting) or later
            except UnreachableError as error:
                self._client.forget(leader)
                later = error
        if later is not None:
            self._topic = self._client.topic(self._name, create=False)
            raise Retry(later)

    def _send_to(self, leader: int, partitions: list[int], waiting: dict[int, list[Record]]) -> CommandError | None:
        """Gives the error of a partition that may be tried again; raises that of one that may not."""
        data = tuple(
            PartitionProduceData(index=partition, records=self._batch(partition, waiting[partition]))
            for partition in partitions
        )
        topic = TopicProduceData(name=self._name, topic_id=self._topic.topic_id, partition_data=data)
        timeout_ms = int(self._client.timeout_s * 1000)
        request = ProduceRequest(acks=self._acks, timeout_ms=timeout_ms, topic_data=(topic,))
        if self._acks == 0:
            self._client.broker(leader).send(request, answered=False)
            for partition in partitions:
                self._acknowledged(partition, waiting.pop(partition), None)
            return None
        response: ProduceResponse = self._client.request(request, leader, timeout_s=self._client.timeout_s)
        later: CommandError | None = None
        for answered in response.responses:
            for result in answered.partition_responses:
                subject = f"{self._name}-{result.index}"
                code = result.error_code
                if code == ErrorCode.NONE or code == ErrorCode.DUPLICATE_SEQUENCE_NUMBER:
                    base = result.base_offset if code == ErrorCode.NONE else None
                    self._acknowledged(result.index, waiting.pop(result.index), base)
                elif code == ErrorCode.MESSAGE_TOO_LARGE and len(waiting[result.index]) > 1:
                    self._send_halves(leader, result.index, waiting)
                elif code in RETRIABLE:
                    later = refusal(subject, code, result.error_message)
                else:
                    raise _refused(subject, code, result.error_message, waiting[result.index])
        return later

    def _send_halves(self, leader: int, partition: int, waiting: dict[int, list[Record]]) -> None:
        """The topic takes smaller batches than ours: send each half, and its halves."""
        records = waiting.pop(partition)
        half = len(records) // 2
        for part in (records[:half], records[half:]):
            alone = {partition: part}
            self._client.retrying(lambda alone=alone: self._send(alone))  # type: ignore[misc]

    def _batch(self, partition: int, records: list[Record]) -> bytes:
        return build_batch(
            records,
            codec=self._codec,
            producer_id=self._producer_id,
            producer_epoch=self._producer_epoch,
            base_sequence=self._sequences.get(partition, 0) if self._producer_id != _NO_PRODUCER else -1,
        )

    def _acknowledged(self, partition: int, records: list[Record], base_offset: int | None) -> None:
        self.records += len(records)
        self._sequences[partition] = (self._sequences.get(partition, 0) + len(records)) % _SEQUENCES
        if base_offset is not None and base_offset >= 0:
            self.next_offsets[partition] = base_offset + len(records)


def _refused(subject: str, code: int, message: str | None, records: list[Record]) -> CommandError:
    if code == ErrorCode.MESSAGE_TOO_LARGE:
        key, value, _, _ = records[0]
        size = output.size(len(key or b"") + len(value or b""))
        message = f"{message or 'the record is too large'} (one record of {size})"
    return refusal(subject, code, message)

r"""Read records of a topic and write them to standard output.

Where to begin (-o): beginning, end, an offset, -N for the last N of each partition, @MILLISECONDS or @TIME in ISO 8601.
How to write (-f), as kcat does it: %t topic, %p partition, %o offset, %k key, %s value, %h headers, %T timestamp,
%K and %S lengths of key and value, %% percent; \n \t \r \0 \\ \xHH. The default is %s\n.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final, final

from ottla._core import decode_batches
from ottla.cli import output
from ottla.cli.client import RETRIABLE, Client, Retry, add_client_arguments, client_of, error_name, refusal
from ottla.cli.errors import DONE, CommandError, UnreachableError, UsageError
from ottla.cli.format import compile_format
from ottla.errors import ErrorCode
from ottla.wire.k01_fetch import FetchPartition, FetchRequest, FetchTopic
from ottla.wire.k02_list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic

if TYPE_CHECKING:
    from ottla._core import Batch, Record

EARLIEST: Final = -2
LATEST: Final = -1
PARTITION_BYTES_MAX: Final = 1 << 20
FETCH_BYTES_MAX: Final = 50 << 20
_WAIT_MS: Final = 500
_ISOLATION: Final = {"read-uncommitted": 0, "read-committed": 1}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("topic", metavar="TOPIC")
    parser.add_argument("-p", "--partition", type=int, action="append", help="only this one; repeatable")
    parser.add_argument("-o", "--offset", default="beginning", metavar="WHERE", help="where to begin (beginning)")
    parser.add_argument("-c", "--count", type=int, help="end after so many records")
    parser.add_argument("-e", "--exit", action="store_true", help="end at the end instead of waiting for more")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("-f", "--format", default=r"%s\n", help=r"how to write a record (%%s\n)")
    shape.add_argument("--json", action="store_true", help="one JSON object per record and line")
    parser.add_argument(
        "--isolation", choices=tuple(_ISOLATION), default="read-uncommitted", help="whose records (read-uncommitted)"
    )
    add_client_arguments(parser)


def run(args: Namespace) -> int:
    """Blocking. Raises `CommandError`."""
    if args.count is not None and args.count < 0:
        raise UsageError("--count must not be negative")
    where = parse_where(args.offset)
    write = None if args.json else compile_format(args.format)
    left = args.count
    if left == 0:
        return DONE
    with client_of(args) as client, output.Progress(args.topic, left, "records") as progress:
        reader = Reader(client, args.topic, args.partition, where, _ISOLATION[args.isolation])
        out = sys.stdout.buffer
        while not (args.exit and reader.at_end()):
            for partition, records in reader.fetch():
                records = records if left is None else records[:left]
                if write is None:
                    out.write("".join(output.json_line(_facts(args.topic, partition, r)) for r in records).encode())
                else:
                    out.write(b"".join([write(args.topic, partition, record) for record in records]))
                progress.add(len(records))
                if left is not None and (left := left - len(records)) == 0:
                    return DONE
            out.flush()
    return DONE


def _facts(topic: str, partition: int, record: Record) -> dict[str, Any]:
    return {
        "topic": topic,
        "partition": partition,
        "offset": record.offset,
        "timestamp": record.timestamp_ms,
        "key": record.key,
        "value": record.value,
        "headers": [list(header) for header in record.headers],
    }


@final
class Where:
    """Where to begin in each partition: at an offset, at a time, or some records before the end."""

    __slots__ = ("before_end", "offset", "timestamp")

    def __init__(self, *, offset: int | None = None, timestamp: int | None = None, before_end: int = 0) -> None:
        self.offset = offset
        self.timestamp = timestamp
        """As ListOffsets takes it: milliseconds, or one of the special numbers."""
        self.before_end = before_end


def parse_where(text: str) -> Where:
    """What `-o` says. Raises `UsageError`."""
    special = {"beginning": EARLIEST, "earliest": EARLIEST, "start": EARLIEST, "end": LATEST, "latest": LATEST}
    if text in special:
        return Where(timestamp=special[text])
    if text.startswith("@"):
        return Where(timestamp=_milliseconds(text[1:]))
    if text.isdecimal():
        return Where(offset=int(text))
    if text.startswith("-") and text[1:].isdecimal():
        return Where(timestamp=LATEST, before_end=int(text[1:]))
    raise UsageError(
        f"-o {text}: no place in a log", "beginning, end, an offset, -N, @MILLISECONDS, @2025-12-31T23:59:59Z"
    )


def _milliseconds(text: str) -> int:
    if text.isdecimal():
        return int(text)
    from datetime import datetime

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"-o @{text}: neither milliseconds nor a time in ISO 8601") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


@final
class Reader:
    """The partitions of one topic from a place on. Invariant: a record is given once, in the order of its partition."""

    def __init__(self, client: Client, topic: str, partitions: list[int] | None, where: Where, isolation: int) -> None:
        self._client = client
        self._name = topic
        self._isolation = isolation
        self._topic = client.topic(topic)
        every = {partition.partition_index for partition in self._topic.partitions}
        if missing := sorted(set(partitions or ()) - every):
            raise UsageError(f"{topic} has no partition {missing[0]}: it has {len(every)}, counted from 0")
        wanted = sorted(set(partitions)) if partitions else sorted(every)
        self._next = self._begin(wanted, where)
        self._ended: set[int] = set()

    def at_end(self) -> bool:
        """Had every partition given all it had when it was last asked?"""
        return len(self._ended) == len(self._next)

    def fetch(self) -> list[tuple[int, list[Record]]]:
        """The next records of some partitions; waits up to half a second for them. Raises `CommandError`."""
        return self._client.retrying(self._fetch)

    def _fetch(self) -> list[tuple[int, list[Record]]]:
        found: list[tuple[int, list[Record]]] = []
        failed: CommandError | None = None
        asked: list[int] = []
        for leader, partitions in self._by_leader(sorted(self._next)).items():
            try:
                self._client.broker(leader).send(self._request(partitions))
                asked.append(leader)
            except UnreachableError as error:
                self._client.forget(leader)
                failed = error
        for leader in asked:
            try:
                response = self._client.broker(leader).receive(_WAIT_MS / 1000)
            except UnreachableError as error:
                self._client.forget(leader)
                failed = error
                continue
            if response.error_code != ErrorCode.NONE:
                raise refusal(f"fetch from {self._client.broker(leader).address}", response.error_code)
            for answered in response.responses:
                for data in answered.partitions:
                    failed = self._take(data, found) or failed
        if failed is not None:
            self._topic = self._client.topic(self._name)
            if not found:
                raise Retry(failed)
        return found

    def _take(self, data: Any, found: list[tuple[int, list[Record]]]) -> CommandError | None:
        """Takes the records of a partition; gives an error that passes, raises one that does not."""
        partition, subject = data.partition_index, f"{self._name}-{data.partition_index}"
        if data.error_code == ErrorCode.OFFSET_OUT_OF_RANGE:
            starts, ends = self._list([partition], EARLIEST), self._list([partition], LATEST)
            raise CommandError(
                f"{subject} has no offset {self._next[partition]}: it holds {starts[partition]} to {ends[partition]}",
                "-o beginning starts at the first one that is left",
            )
        if data.error_code in RETRIABLE:
            return refusal(subject, data.error_code)
        if data.error_code != ErrorCode.NONE:
            raise refusal(subject, data.error_code)
        records = self._records(partition, data)
        if records:
            found.append((partition, records))
        end = data.last_stable_offset if self._isolation else data.high_watermark
        (self._ended.add if self._next[partition] >= end else self._ended.discard)(partition)
        return None

    def _records(self, partition: int, data: Any) -> list[Record]:
        walk = decode_batches(data.records or b"")
        if walk.stop == "fault":
            raise CommandError(f"{self._name}-{partition} at offset {self._next[partition]}: {walk.fault}")
        if walk.stop == "cut off" and not walk.batches and data.records:
            raise CommandError(f"{self._name}-{partition} at offset {self._next[partition]}: the answer is cut off")
        aborted = Aborted(data.aborted_transactions or ()) if self._isolation else None
        records: list[Record] = []
        for batch in walk.batches:
            if batch.fault is not None:
                raise CommandError(f"{self._name}-{partition}, batch at offset {batch.base_offset}: {batch.fault}")
            if not (batch.control or (aborted is not None and aborted.covers(batch))):
                # A batch may begin before the offset asked for.
                records += [record for record in batch.records if record.offset >= self._next[partition]]
            if aborted is not None and batch.control:
                aborted.ended(batch)
            self._next[partition] = max(self._next[partition], batch.last_offset + 1)
        return records

    def _request(self, partitions: list[int]) -> FetchRequest:
        asked = tuple(
            FetchPartition(
                partition=partition, fetch_offset=self._next[partition], partition_max_bytes=PARTITION_BYTES_MAX
            )
            for partition in partitions
        )
        return FetchRequest(
            max_wait_ms=_WAIT_MS,
            min_bytes=1,
            max_bytes=FETCH_BYTES_MAX,
            isolation_level=self._isolation,
            topics=(FetchTopic(topic=self._name, topic_id=self._topic.topic_id, partitions=asked),),
        )

    def _begin(self, partitions: list[int], where: Where) -> dict[int, int]:
        if where.offset is not None:
            return dict.fromkeys(partitions, where.offset)
        assert where.timestamp is not None
        offsets = self._list(partitions, where.timestamp)
        if where.timestamp >= 0:
            # No record is as late as that: begin with what comes.
            late = [partition for partition, offset in offsets.items() if offset < 0]
            offsets |= self._list(late, LATEST) if late else {}
        if where.before_end:
            starts = self._list(partitions, EARLIEST)
            offsets = {p: max(starts[p], offset - where.before_end) for p, offset in offsets.items()}
        return offsets

    def _list(self, partitions: list[int], timestamp: int) -> dict[int, int]:
        def ask() -> dict[int, int]:
            found: dict[int, int] = {}
            for leader, mine in self._by_leader(partitions).items():
                asked = tuple(ListOffsetsPartition(partition_index=index, timestamp=timestamp) for index in mine)
                topic = ListOffsetsTopic(name=self._name, partitions=asked)
                request = ListOffsetsRequest(replica_id=-1, isolation_level=self._isolation, topics=(topic,))
                for answered in self._client.request(request, leader).topics:
                    for result in answered.partitions:
                        if result.error_code in RETRIABLE:
                            self._topic = self._client.topic(self._name)
                            raise Retry(refusal(f"{self._name}-{result.partition_index}", result.error_code))
                        if result.error_code != ErrorCode.NONE:
                            raise refusal(f"{self._name}-{result.partition_index}", result.error_code)
                        found[result.partition_index] = result.offset
            if missing := set(partitions) - found.keys():
                code = error_name(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
                raise CommandError(f"{self._name}-{min(missing)}: {code}: the broker said nothing about it")
            return found

        return self._client.retrying(ask)

    def _by_leader(self, partitions: list[int]) -> dict[int, list[int]]:
        wanted = set(partitions)
        leaders: dict[int, list[int]] = {}
        for partition in self._topic.partitions:
            if partition.partition_index in wanted:
                leaders.setdefault(partition.leader_id, []).append(partition.partition_index)
        return leaders


@final
class Aborted:
    """The aborted transactions of one answer: which batches are not to be read (KIP-98).

    They come in the order of their first offsets. A producer's transaction is aborted from the first offset named for
    it up to its abort marker.
    """

    def __init__(self, transactions: Any) -> None:
        self._coming = sorted(transactions, key=lambda transaction: transaction.first_offset)
        self._open: set[int] = set()

    def covers(self, batch: Batch) -> bool:
        """Does this data batch belong to a transaction that was aborted?"""
        while self._coming and self._coming[0].first_offset <= batch.last_offset:
            self._open.add(self._coming.pop(0).producer_id)
        return batch.transactional and batch.producer_id in self._open

    def ended(self, batch: Batch) -> None:
        """A control batch has come: an abort marker closes its producer's transaction."""
        if batch.records and batch.records[0].key is not None and batch.records[0].key[:4] == b"\0\0\0\0":
            self._open.discard(batch.producer_id)

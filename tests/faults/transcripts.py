"""Plays scripts of requests against a broker and writes down what it answers: the same scripts for Apache Kafka and
for Ottla.

    python -m tests.faults.transcripts --against 127.0.0.1:9092 [--rewrite] [FILE ...]

Steps are as in ``tests.support.scripts``. The answers in ``tests/scripts`` are those of Apache Kafka 4.4.0:
``--rewrite`` against it makes them anew. A line that begins with ``ottla:`` says what Ottla answers instead of the line
above it, and the comment before the step says why; these lines survive a rewrite.

Times are written as ``now`` and ids by their names, so that a transcript is the same each time.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, final

from ottla._core import decode_batches
from ottla.errors import ErrorCode
from ottla.wire.k00_produce import PartitionProduceData, ProduceRequest, TopicProduceData
from ottla.wire.k01_fetch import FetchPartition, FetchRequest, FetchTopic, ReplicaState
from ottla.wire.k02_list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from ottla.wire.k23_offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)
from tests.support import lying_batches
from tests.support.lying_batches import LyingBatch, LyingRecord
from tests.support.raw import CLOCK_STEP_MS, Closed, Connection
from tests.support.raw_admin import create_topic, new_producer_id, topic_of
from tests.support.scripts import Address, Against, Merge, Step, main, play_text

SCRIPTS: Final = Path(__file__).parents[1] / "scripts"
FOLDERS: Final = ("produce", "fetch", "offsets")
OURS: Final = "ottla: "
ANSWER_TIMEOUT_S: Final = 30.0
NOW_WINDOW_MS: Final = 120_000
WAITS_MS: Final = 200
"""A wait that can be told from none."""
DAY_MS: Final = 86_400_000


def kafka(transcript: str) -> list[str]:
    """What Kafka answers."""
    return [line for line in transcript.split("\n") if not line.startswith(OURS)]


def departures(transcript: str) -> dict[int, str]:
    """The place of an answer, and what Ottla says there."""
    found: dict[int, str] = {}
    place = -1
    for line in transcript.split("\n"):
        if line.startswith(OURS):
            found[place] = line.removeprefix(OURS)
        else:
            place += 1
    return found


def ours(transcript: str) -> list[str]:
    """What Ottla answers."""
    departing = departures(transcript)
    return [departing.get(place, line) for place, line in enumerate(kafka(transcript))]


def with_answers(step: Step, answers: list[str]) -> list[str]:
    """The transcript with new answers of Kafka."""
    departing = departures(step.transcript)
    lines = []
    for place, line in enumerate(answers):
        lines.append(line)
        if place in departing and departing[place] != line:
            lines.append(f"{OURS}{departing[place]}")
    return lines


@final
class Player:
    """Carries commands out on one broker."""

    def __init__(self, address: tuple[str, int], prefix: str) -> None:
        self._address = address
        self._prefix = prefix
        self._connection = Connection(address, "script")
        self._ids: dict[str, bytes] = {}
        self._producers: dict[str, int] = {}
        self._refused = "closed"
        self._now_ms = int(time.time() * 1000)
        self._said: set[int] = set()
        """Times that the script named: others are the broker's own, however close."""

    def close(self) -> None:
        self._connection.close()

    def answer(self, command: str) -> list[str]:
        """A line or more."""
        verb, *words = command.split()
        options = dict(word.partition("=")[::2] for word in words)
        handler: Callable[[dict[str, str]], list[str]] = getattr(self, f"_{verb}")
        return handler(options)

    # --- commands: topic and producers ------------------------------------------------------------------------------

    def _topic(self, options: dict[str, str]) -> list[str]:
        """topic name=t [partitions=1] [config=value ...]"""
        name = options.pop("name")
        partitions = int(options.pop("partitions", "1"))
        code = create_topic(self._connection, self._prefix + name, partitions, dict(options))
        # Kafka answers before its partitions have leaders.
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while not all(self._is_led(self._prefix + name, index) for index in range(partitions)):
            assert time.monotonic() < deadline, f"topic {name} has no leaders"
        self._ids[name] = topic_of(self._connection, self._prefix + name).topic_id
        return [ErrorCode(code).name]

    def _is_led(self, topic: str, partition: int) -> bool:
        wanted = ListOffsetsPartition(partition_index=partition, timestamp=-1)
        request = ListOffsetsRequest(replica_id=-1, topics=(ListOffsetsTopic(name=topic, partitions=(wanted,)),))
        code: int = self._connection.ask(request, 8).topics[0].partitions[0].error_code
        return code == 0

    def _producer(self, options: dict[str, str]) -> list[str]:
        """producer name=p: a new idempotent producer id"""
        self._producers[options["name"]] = new_producer_id(self._connection)
        return ["ok"]

    # --- commands: produce ------------------------------------------------------------------------------------------

    def _produce(self, options: dict[str, str]) -> list[str]:
        """produce to=t[-0] v=9 [acks=-1] [txnid=x] [client=c] and what ``_records`` takes"""
        topic, partition = self._place(options.pop("to"))
        version, acks = int(options.pop("v", "9")), int(options.pop("acks", "-1"))
        transactional_id = options.pop("txnid", None)
        client_id = options.pop("client", "script")
        data = PartitionProduceData(index=partition, records=self._records(options))
        named = TopicProduceData(name=self._prefix + topic, topic_id=self._id(topic), partition_data=(data,))
        request = ProduceRequest(transactional_id=transactional_id, acks=acks, timeout_ms=10_000, topic_data=(named,))
        self._connection.client_id = client_id
        if acks == 0:
            return self._silent(request, version)
        response = self._ask(request, version)
        if response is None:
            return [self._refused]
        return [self._produced(answer, version) for topic in response.responses for answer in topic.partition_responses]

    def _silent(self, request: ProduceRequest, version: int) -> list[str]:
        """acks=0: whether the connection lives on."""
        try:
            self._connection.send(request, version, answered=False)
            topic_of(self._connection, "x")
        except Closed:
            self._reconnect()
            return [self._refused]
        return ["silent"]

    def _produced(self, answer: Any, version: int) -> str:
        words = [ErrorCode(answer.error_code).name, f"base={answer.base_offset}"]
        if version >= 2 and answer.log_append_time_ms != -1:
            words.append(f"append_time={self._when(answer.log_append_time_ms)}")
        if version >= 5:
            words.append(f"log_start={answer.log_start_offset}")
        if answer.record_errors:
            words.append("records=" + ",".join(str(error.batch_index) for error in answer.record_errors))
            messages = {error.batch_index_error_message is not None for error in answer.record_errors}
            words.append("told" if messages == {True} else "untold")
        # Whether there are words for a whole partition is not written down: Kafka has them seldom, Ottla always.
        if version >= 10 and answer.current_leader.leader_id != -1:
            words.append(f"leader_epoch={answer.current_leader.leader_epoch}")
        return " ".join(words)

    def _records(self, options: dict[str, str]) -> bytes | None:
        """A batch: n, value (bytes each), ts, pid, epoch, seq, codec, key; lies by the names of ``LyingBatch``."""
        if "null" in options:
            return None
        if "empty" in options:
            return b""
        if "noise" in options:
            return bytes(range(200)) * int(options["noise"] or "1")
        records = self._record_list(options)
        batch = LyingBatch(records, codec=options.pop("codec", "none"))
        if "pid" in options:
            name = options.pop("pid")
            batch.producer_id = self._producers[name] if name in self._producers else int(name)
            batch.producer_epoch = int(options.pop("epoch", "0"))
            batch.base_sequence = int(options.pop("seq", "0"))
        for flag in ("LOG_APPEND_TIME", "TRANSACTIONAL", "CONTROL", "DELETE_HORIZON"):
            if options.pop(flag.lower(), None) is not None:
                batch.flags |= getattr(lying_batches, flag)
        copies = 2 if options.pop("twice", None) is not None else 1
        trailing, cut = int(options.pop("trailing", "0")), int(options.pop("cut", "0"))
        longer = int(options.pop("longer", "0"))
        for name in ("max_timestamp_ms", "base_timestamp_ms"):
            if name in options:
                setattr(batch, name, self._time(options.pop(name)))
        for name, value in options.items():
            assert hasattr(batch, name), f"what is {name}?"
            setattr(batch, name, bytes.fromhex(value) if name == "payload" else int(value))
        data = batch.encode()
        if longer:
            data = data[:8] + (int.from_bytes(data[8:12]) + longer).to_bytes(4, signed=True) + data[12:]
        return (data * copies)[: len(data) * copies - cut] + b"\x01" * trailing

    def _record_list(self, options: dict[str, str]) -> list[LyingRecord]:
        count, size = int(options.pop("n", "1")), int(options.pop("value", "5"))
        times = [self._time(word) for word in options.pop("ts", "now").split(",")]
        keys = options.pop("key", "k").split(",")
        records = []
        for at in range(count):
            key = keys[min(at, len(keys) - 1)]
            record = LyingRecord(
                key=None if key == "null" else key.encode(),
                value=b"v" * size,
                timestamp_ms=times[min(at, len(times) - 1)],
            )
            records.append(record)
        for name in ("offset_delta", "length", "header_count"):
            given = options.pop(f"record_{name}", None)
            for record, value in zip(records, (given or "").split(","), strict=False):
                if value:
                    setattr(record, name, int(value))
        if "record_raw" in options:
            records[-1].raw = bytes.fromhex(options.pop("record_raw"))
        return records

    # --- commands: fetch --------------------------------------------------------------------------------------------

    def _fetch(self, options: dict[str, str]) -> list[str]:
        """fetch from=t[-0],… v=12 offset=0[,…] [max] [pmax] [min] [wait] [epoch] [last_epoch] [isolation] [replica]"""
        version = int(options.pop("v", "12"))
        places = [self._place(word) for word in options.pop("from").split(",")]
        offsets = [int(word) for word in options.pop("offset", "0").split(",")]
        partition_max = [int(word) for word in options.pop("pmax", "1048576").split(",")]
        replica = int(options.pop("replica", "-1"))
        epoch, last_epoch = int(options.pop("epoch", "-1")), int(options.pop("last_epoch", "-1"))
        topics = []
        for at, (topic, partition) in enumerate(places):
            wanted = FetchPartition(
                partition=partition,
                current_leader_epoch=epoch,
                fetch_offset=offsets[min(at, len(offsets) - 1)],
                last_fetched_epoch=last_epoch,
                partition_max_bytes=partition_max[min(at, len(partition_max) - 1)],
            )
            topics.append(FetchTopic(topic=self._prefix + topic, topic_id=self._id(topic), partitions=(wanted,)))
        wait_ms = int(options.pop("wait", "0"))
        request = FetchRequest(
            replica_id=-1 if version >= 15 else replica,
            replica_state=ReplicaState(replica_id=replica) if version >= 15 else ReplicaState(),
            max_wait_ms=wait_ms,
            min_bytes=int(options.pop("min", "1")),
            max_bytes=int(options.pop("max", "52428800")),
            isolation_level=int(options.pop("isolation", "0")),
            session_id=int(options.pop("session", "0")),
            session_epoch=int(options.pop("session_epoch", "-1")),
            topics=tuple(topics),
        )
        assert not options, f"what is {options}?"
        begun = time.monotonic()
        response = self._ask(request, version)
        if response is None:
            return [self._refused]
        waited = wait_ms >= WAITS_MS and (time.monotonic() - begun) * 1000 >= wait_ms - CLOCK_STEP_MS
        lines = ["after waiting:"] if waited else []
        lines += [] if response.error_code == 0 else [ErrorCode(response.error_code).name]
        for topic in response.responses:
            name = self._name(topic, version)
            lines += [
                f"{name}-{answer.partition_index}: {self._fetched(answer, version)}" for answer in topic.partitions
            ]
        return lines or ["nothing"]

    def _fetched(self, answer: Any, version: int) -> str:
        words = [ErrorCode(answer.error_code).name, f"high_watermark={answer.high_watermark}"]
        words.append(f"last_stable={answer.last_stable_offset}")
        if version >= 5:
            words.append(f"log_start={answer.log_start_offset}")
        if version >= 12 and answer.diverging_epoch.end_offset != -1:
            words.append(f"diverging={answer.diverging_epoch.epoch}/{answer.diverging_epoch.end_offset}")
        if version >= 12 and answer.current_leader.leader_epoch != -1:
            words.append(f"leader_epoch={answer.current_leader.leader_epoch}")
        words.append(
            "aborted=" + ("null" if answer.aborted_transactions is None else str(len(answer.aborted_transactions)))
        )
        data = answer.records
        if data is None:
            return " ".join([*words, "records=null"])
        walk = decode_batches(data)
        batches = ",".join(f"{batch.base_offset}..{batch.last_offset}" for batch in walk.batches)
        words.append(f"batches={batches or 'none'}")
        if walk.end < len(data):
            words.append(f"and {len(data) - walk.end} bytes")
        return " ".join(words)

    # --- commands: offsets ------------------------------------------------------------------------------------------

    def _list(self, options: dict[str, str]) -> list[str]:
        """list of=t[-0] v=8 ts=-1 [epoch] [isolation] [replica] [twice]"""
        topic, partition = self._place(options["of"])
        wanted = ListOffsetsPartition(
            partition_index=partition,
            current_leader_epoch=int(options.get("epoch", "-1")),
            timestamp=self._time(options["ts"]),
        )
        partitions = (wanted, wanted) if "twice" in options else (wanted,)
        named = ListOffsetsTopic(name=self._prefix + topic, partitions=partitions)
        request = ListOffsetsRequest(
            replica_id=int(options.get("replica", "-1")),
            isolation_level=int(options.get("isolation", "0")),
            topics=(named,),
            timeout_ms=1_000,
        )
        version = int(options.get("v", "8"))
        response = self._ask(request, version)
        if response is None:
            return [self._refused]
        lines = []
        for answer in (answer for topic in response.topics for answer in topic.partitions):
            words = [ErrorCode(answer.error_code).name, f"offset={answer.offset}"]
            words.append(f"time={self._when(answer.timestamp)}")
            if version >= 4:
                words.append(f"epoch={answer.leader_epoch}")
            lines.append(" ".join(words))
        return lines

    def _epoch(self, options: dict[str, str]) -> list[str]:
        """epoch of=t[-0] v=4 epoch=0 [current=-1] [replica]"""
        topic, partition = self._place(options["of"])
        wanted = OffsetForLeaderPartition(
            partition=partition,
            current_leader_epoch=int(options.get("current", "-1")),
            leader_epoch=int(options["epoch"]),
        )
        named = OffsetForLeaderTopic(topic=self._prefix + topic, partitions=(wanted,))
        version = int(options.get("v", "4"))
        replica = int(options.get("replica", "-1"))
        response = self._ask(OffsetForLeaderEpochRequest(replica_id=replica, topics=(named,)), version)
        if response is None:
            return [self._refused]
        return [
            f"{ErrorCode(answer.error_code).name} epoch={answer.leader_epoch} end={answer.end_offset}"
            for topic in response.topics
            for answer in topic.partitions
        ]

    # --- the rest ---------------------------------------------------------------------------------------------------

    def _ask(self, request: object, version: int) -> Any:
        try:
            self._connection.send(request, version)
            return self._connection.receive(ANSWER_TIMEOUT_S)
        except (Closed, TimeoutError) as error:
            # Kafka now and then owes an answer for ever: where a request breaks what waits for it.
            self._refused = "closed" if isinstance(error, Closed) else "never answered"
            self._reconnect()
            return None

    def _reconnect(self) -> None:
        self._connection.close()
        self._connection = Connection(self._address, "script")

    def _place(self, word: str) -> tuple[str, int]:
        topic, dash, partition = word.partition("-")
        return topic, int(partition) if dash else 0

    def _id(self, topic: str) -> bytes:
        return self._ids.get(topic, b"nobodys topic id")

    def _name(self, topic: Any, version: int) -> str:
        if version < 13:
            return str(topic.topic.removeprefix(self._prefix))
        return next((name for name, topic_id in self._ids.items() if topic_id == topic.topic_id), "unknown")

    def _time(self, word: str) -> int:
        """``now``, ``now-5``, ``now+2d``, or a number."""
        found = re.fullmatch(r"now(?:([+-]\d+)(d?))?", word)
        if not found:
            return int(word)
        said = self._now_ms + int(found[1] or 0) * (DAY_MS if found[2] else 1)
        self._said.add(said)
        return said

    def _when(self, timestamp_ms: int) -> str:
        if timestamp_ms <= 0 or timestamp_ms < self._now_ms - NOW_WINDOW_MS:
            return str(timestamp_ms)
        from_now = timestamp_ms - self._now_ms
        # Times that a script chose lie near ours; those of the broker's clock come later.
        near = -200 <= from_now <= 5 and from_now != 0 and timestamp_ms in self._said
        return f"now{from_now:+d}" if near else "now"


def play(text: str, address: Address, prefix: str, merge: Merge = with_answers) -> str:
    """The script as the broker plays it. Topics of its own begin with the prefix."""
    player = Player(address, prefix)
    try:
        return play_text(text, player.answer, merge)
    finally:
        player.close()


def play_against(text: str, address: Address, _: str) -> str:
    return play(text, address, f"script-{time.time_ns()}-")


def scripts() -> list[Path]:
    return sorted(path for folder in FOLDERS for path in (SCRIPTS / folder).glob("*.txt"))


if __name__ == "__main__":
    sys.exit(main(None, Against(play_against, ours, shows_all=True), scripts()))

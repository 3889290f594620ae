"""Plays the scripts of transactional ids against a broker, in real time, and compares answers, records and
markers.

The broker is a single node with the settings of ``script_world.SETTINGS``; topics are made as scripts name them.
Clients ask again while they are told CONCURRENT_TRANSACTIONS, as all clients do: our own coordinator lets them wait
instead. What a script says to be due at a moment is looked for a little after it. To configure the broker and to have
it read its log again, ``--restart`` is run, a command that ends when the broker listens again; its arguments are what
the script configures, as ``transactional.id.expiration.ms=2000``.
"""

from __future__ import annotations

import re
import subprocess
import time
import uuid
from collections import Counter
from typing import Any, Final

from ottla._core import Batch
from ottla.coordinator.partitions import partition_of
from ottla.errors import ErrorCode
from ottla.records import TRANSACTION_STATE, decode_key, decode_value
from ottla.transactions.changes import Partition
from ottla.wire.k01_fetch import FetchPartition, FetchRequest, FetchTopic
from ottla.wire.k10_find_coordinator import FindCoordinatorRequest
from ottla.wire.k20_delete_topics import DeleteTopicsRequest, DeleteTopicState
from ottla.wire.k22_init_producer_id import InitProducerIdRequest
from ottla.wire.k24_add_partitions_to_txn import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnTopic,
    AddPartitionsToTxnTransaction,
)
from ottla.wire.k26_end_txn import EndTxnRequest
from ottla.wire.k57_update_features import FeatureUpdateKey, UpdateFeaturesRequest
from ottla.wire.k65_describe_transactions import DescribeTransactionsRequest
from ottla.wire.k66_list_transactions import ListTransactionsRequest
from ottla.wire.schema import replace
from tests.support.raw import Connection, batches_of
from tests.support.raw_admin import create_topic, topic_of
from tests.support.scripts import NotOfKafka
from tests.transactions.script_texts import (
    Names,
    answer_text,
    described_text,
    init_request,
    partitions_text,
    record_text,
)

QUIET_S: Final = 0.12
"""Records have come when none came for so long."""
AFTER_S: Final = 1.0
"""How much later than said it is looked."""
ASKED_AGAIN: Final = frozenset(
    (
        ErrorCode.CONCURRENT_TRANSACTIONS,
        ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.NOT_COORDINATOR,
    )
)
SETTLES_S: Final = 4.0
PATIENCE_S: Final = 60.0
PARTITIONS: Final = 3
UPGRADE, DOWNGRADE = 1, 2
COMMIT: Final = 1
"""The type of a control record."""


class BrokerWorld:
    """Producers of a broker behind a socket."""

    def __init__(self, address: tuple[str, int], restart: str) -> None:
        self.names = Names()
        self._address = address
        self._restart = restart
        self._config: dict[str, str] = {}
        self._prefix = uuid.uuid4().hex[:6]
        self._topics: set[str] = set()
        self._offsets: dict[int, int] = {}
        self._data_offsets: dict[Partition, int] = {}
        self._transactional_ids: dict[int, str] = {}
        self._version = 2
        self._connect()

    def _connect(self) -> None:
        self._connection = Connection(self._address)
        request = FindCoordinatorRequest(key_type=1, coordinator_keys=(self._id("x"),))
        while self._connection.ask(request, 4).coordinators[0].error_code:
            time.sleep(0.1)
        self._count = len(topic_of(self._connection, TRANSACTION_STATE).partitions)

    def close(self) -> None:
        if self._version != 2:
            self.use_version(2)
        if self._config:
            self._config.clear()
            self.reload()
        self._connection.close()

    def _id(self, name: str) -> str:
        return f"{self._prefix}-{name}" if name else ""

    def _topic(self, name: str) -> str:
        topic = f"{self._prefix}-{name}"
        if topic not in self._topics:
            create_topic(self._connection, topic, PARTITIONS)
            self._topics.add(topic)
            self._data_offsets.update(((topic, index), 0) for index in range(PARTITIONS))
            time.sleep(0.2)
        return topic

    def _ask(self, request: Any, version: int) -> Any:
        until_s = time.monotonic() + PATIENCE_S
        while True:
            answer = self._connection.ask(request, version)
            if time.monotonic() > until_s or _code_of(answer) not in ASKED_AGAIN:
                return answer
            time.sleep(0.02)

    def _plain(self, text: str) -> str:
        return text.replace(f"{self._prefix}-", "")

    # Requests.

    def init(self, name: str, request: InitProducerIdRequest, version: int) -> list[str]:
        self._watch(name)
        answer = self._ask(replace(request, transactional_id=self._id(request.transactional_id or "")), version)
        return [answer_text(name, answer, self.names), *self._records()]

    def end(self, name: str, request: EndTxnRequest, version: int) -> list[str]:
        answer = self._ask(replace(request, transactional_id=self._id(name)), version)
        return [answer_text(name, answer, self.names), *self._records()]

    def add(self, name: str, producer: tuple[int, int], of: list[Partition], version: int, verify: bool) -> list[str]:
        topics: dict[str, list[int]] = {}
        for topic, index in of:
            topics.setdefault(self._topic(topic), []).append(index)
        rows = tuple(AddPartitionsToTxnTopic(name=topic, partitions=tuple(found)) for topic, found in topics.items())
        if version >= 4:
            transaction = AddPartitionsToTxnTransaction(
                transactional_id=self._id(name),
                producer_id=producer[0],
                producer_epoch=producer[1],
                verify_only=verify,
                topics=rows,
            )
            answer = self._ask(AddPartitionsToTxnRequest(transactions=(transaction,)), version)
            results = answer.results_by_transaction[0].topic_results
        else:
            request = AddPartitionsToTxnRequest(
                v3_and_below_transactional_id=self._id(name),
                v3_and_below_producer_id=producer[0],
                v3_and_below_producer_epoch=producer[1],
                v3_and_below_topics=rows,
            )
            results = self._ask(request, version).results_by_topic_v3_and_below
        codes = {
            (self._plain(topic.name), each.partition_index): ErrorCode(each.partition_error_code)
            for topic in results
            for each in topic.results_by_partition
        }
        return [answer_text(name, [codes[each] for each in of], self.names), *self._records()]

    def describe(self, name: str) -> list[str]:
        answer = self._ask(DescribeTransactionsRequest(transactional_ids=(self._id(name),)), 0)
        text = described_text(answer.transaction_states[0], self.names, 0)
        return [self._plain(text)]

    def list_ids(self, words: dict[str, str]) -> list[str]:
        request = ListTransactionsRequest(
            state_filters=tuple(words["states"].split(",")) if "states" in words else (),
            producer_id_filters=tuple(self.names.id(each) for each in words.get("producers", "").split(",") if each),
            duration_filter=int(words.get("duration", -1)),
            transactional_id_pattern=f"{self._prefix}-(?:{words.get('pattern', '.*')})",
        )
        answer = self._ask(request, 2)
        return [self._plain(answer_text("listed", list(answer.transaction_states), self.names))]

    def spend(self, name: str, epoch: int) -> list[str]:
        """As a thousand clients, each of which begins."""
        request = init_request(self._id(name), {}, self.names)
        found = self._ask(request, 5)
        while found.producer_epoch < epoch:
            ahead = min(16, epoch - found.producer_epoch)
            for _ in range(ahead):
                self._connection.send(request, 5)
            for _ in range(ahead):
                answer = self._connection.receive()
                found = found if answer.error_code else answer
        self._records()
        return [f"{name}: {self.names.producer(found.producer_id, found.producer_epoch)}"]

    def advance(self, milliseconds: int) -> list[str]:
        time.sleep(milliseconds / 1000 + AFTER_S)
        return self._records()

    # The log.

    def _watch(self, name: str) -> None:
        """Its partition's records from now on."""
        partition = partition_of(self._id(name), self._count)
        if partition not in self._offsets:
            self._offsets[partition] = 0
            self._read()

    def _records(self) -> list[str]:
        """What was written since, once nothing more comes."""
        found: list[str] = []
        while True:
            time.sleep(QUIET_S)
            new = self._read()
            if not new:
                return [*found, *self._markers()]
            found += new

    def _read(self) -> list[str]:
        found: list[str] = []
        for partition in self._offsets:
            while batches := self._fetch((TRANSACTION_STATE, partition), self._offsets[partition]):
                self._offsets[partition] = batches[-1].last_offset + 1
                for record in (each for batch in batches for each in batch.records):
                    key: Any = decode_key(TRANSACTION_STATE, record.key or b"")
                    value: Any = None if record.value is None else decode_value(TRANSACTION_STATE, record.value, key)
                    if key.transactional_id.startswith(f"{self._prefix}-"):
                        found.append(self._plain(record_text(key.transactional_id, value, self.names, 0)))
                        if value is not None:
                            self._transactional_ids[value.producer_id] = self._plain(key.transactional_id)
        return found

    def _fetch(self, of: Partition, offset: int) -> list[Batch]:
        fetch = FetchPartition(partition=of[1], fetch_offset=offset, partition_max_bytes=1 << 22)
        topic = FetchTopic(topic=of[0], partitions=(fetch,))
        answer = self._connection.ask(FetchRequest(topics=(topic,), max_wait_ms=0), 12)
        return batches_of(answer.responses[0].partitions[0].records)

    def _markers(self) -> list[str]:
        """Those that came to partitions, as far as they show what they belong to."""
        found: dict[tuple[int, int, bool, int], list[Partition]] = {}
        for (topic, index), offset in self._data_offsets.items():
            seen: Counter[tuple[int, int, bool]] = Counter()
            for batch in self._fetch((topic, index), offset):
                self._data_offsets[topic, index] = batch.last_offset + 1
                key = batch.records[0].key or b""
                marker = (batch.producer_id, batch.producer_epoch, int.from_bytes(key[2:4]) == COMMIT)
                # The same once more, where an epoch lasts.
                seen[marker] += 1
                found.setdefault((*marker, seen[marker]), []).append((self._plain(topic), index))
        return [
            f"markers: {self._transactional_ids[producer_id]} {self.names.producer(producer_id, epoch)}"
            f" {'commit' if commit else 'abort'} {partitions_text(partitions)}"
            for (producer_id, epoch, commit, _), partitions in found.items()
        ]

    # What happens to the broker.

    def configure(self, settings: dict[str, str]) -> None:
        self._config.update(settings)
        self.reload()

    def delete(self, topic: str) -> list[str]:
        name = self._topic(topic)
        self._data_offsets = {each: offset for each, offset in self._data_offsets.items() if each[0] != name}
        self._connection.ask(DeleteTopicsRequest(topics=(DeleteTopicState(name=name),), timeout_ms=10_000), 6)
        time.sleep(0.5)
        return []

    def use_version(self, version: int) -> list[str]:
        kind = UPGRADE if version > self._version else DOWNGRADE
        update = FeatureUpdateKey(feature="transaction.version", max_version_level=version, upgrade_type=kind)
        answer = self._connection.ask(UpdateFeaturesRequest(feature_updates=(update,)), 1)
        assert not answer.error_code, answer
        self._version = version
        time.sleep(0.5)
        return []

    def reload(self) -> list[str]:
        if not self._restart:
            raise NotOfKafka("reload")
        self._connection.close()
        settings = " ".join(f"{name}={value}" for name, value in self._config.items())
        subprocess.run(f"{self._restart} {settings}", shell=True, check=True)
        self._connect()
        # Kafka does not list the ids of partitions that it does not lead yet, and does not say so.
        time.sleep(SETTLES_S)
        for name in set(self._transactional_ids.values()):
            self.describe(name)
        return self._records()

    def inside(self, verb: str, words: dict[str, str], rest: list[str]) -> list[str]:
        raise NotOfKafka(" ".join([verb, *rest]))


def _code_of(answer: Any) -> int:
    """Of the whole answer, or of its first part."""
    for name in ("results_by_transaction", "results_by_topic_v3_and_below", "topic_results", "transaction_states"):
        if getattr(answer, name, None):
            return _code_of(getattr(answer, name)[0])
    if hasattr(answer, "results_by_partition"):
        return int(answer.results_by_partition[0].partition_error_code)
    return int(getattr(answer, "error_code", 0))


def visible(transcript: str) -> list[str]:
    """What Kafka shows, too: moments left out, and the answers of a step before its records."""
    inside = (" -> ", "markers: none", " loaded", "(nothing)", " NOT_COORDINATOR", " left out of a transaction")
    lines = [line for line in transcript.split("\n") if not any(word in line for word in inside)]
    lines = [re.sub(r"since=\d+", "since=…", line) for line in lines]
    lines = [re.sub(r" version=\d coordinator=\d+", "", line) if "markers: " in line else line for line in lines]
    # Those of deleted partitions cannot be seen.
    lines = [re.sub(r"gone-\d,", "", line) if "markers: " in line else line for line in lines]
    order = ("record: ", "markers: ")
    # Each partition has a sweep of its own.
    swept = {line: line for line in lines if line.endswith(" deleted")}
    return sorted(lines, key=lambda line: ([line.startswith(each) for each in order], swept.get(line, "")))

"""What scripts of transactional ids say: producers by short names, answers and records as text."""

from __future__ import annotations

from typing import Any, Final

from ottla.errors import ErrorCode
from ottla.records.transaction_state import TransactionLogValue
from ottla.transactions.changes import Partition, partitions_of, state_of
from ottla.wire.k22_init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from ottla.wire.k26_end_txn import EndTxnResponse
from ottla.wire.k65_describe_transactions import TransactionState as Described

WALL_MS: Final = 1_700_000_000_000
"""When scripts begin."""
LISTED: Final = "listed"


class Names:
    """Producer ids by short names, in the order in which they are seen."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {-1: "none"}

    def name(self, producer_id: int) -> str:
        return self._names.setdefault(producer_id, f"P{len(self._names)}")

    def producer(self, producer_id: int, epoch: int) -> str:
        return f"{self.name(producer_id)}/{epoch}"

    def id(self, name: str) -> int:
        for producer_id, known in self._names.items():
            if known == name:
                return producer_id
        return int(name)

    def pair(self, text: str) -> tuple[int, int]:
        name, _, epoch = text.partition("/")
        return self.id(name), int(epoch or -1)


def partitions(words: list[str]) -> list[Partition]:
    """Those named ``topic-index``."""
    found = [word.rpartition("-") for word in words]
    return [(topic, int(index)) for topic, _, index in found]


def partitions_text(of: list[Partition]) -> str:
    return ",".join(sorted(f"{topic}-{index}" for topic, index in of)) or "(none)"


def init_request(name: str, words: dict[str, str], names: Names) -> InitProducerIdRequest:
    producer_id, epoch = names.pair(words.get("producer", "-1/-1"))
    return InitProducerIdRequest(
        transactional_id=name,
        transaction_timeout_ms=int(words.get("timeout", 60_000)),
        producer_id=producer_id,
        producer_epoch=epoch,
        enable2_pc="2pc" in words,
        keep_prepared_txn="keep" in words,
    )


def answer_text(name: str, answer: Any, names: Names) -> str:
    match answer:
        case InitProducerIdResponse():
            code = ErrorCode(answer.error_code)
            who = "" if code else f" {names.producer(answer.producer_id, answer.producer_epoch)}"
            return f"{name} <- InitProducerId {code.name}{who}"
        case EndTxnResponse():
            who = "" if answer.producer_id < 0 else f" {names.producer(answer.producer_id, answer.producer_epoch)}"
            return f"{name} <- EndTxn {ErrorCode(answer.error_code).name}{who}"
        case Described():
            return described_text(answer, names, WALL_MS)
        case [*codes] if name != LISTED:
            return f"{name} <- AddPartitionsToTxn {' '.join(each.name for each in codes)}"
    listed = sorted(
        f"{each.transactional_id} {each.transaction_state}({names.name(each.producer_id)})" for each in answer
    )
    return f"{name}: {', '.join(listed) or '(none)'}"


def described_text(answer: Described, names: Names, wall_ms: int) -> str:
    if answer.error_code:
        return f"{answer.transactional_id}: {ErrorCode(answer.error_code).name}"
    parts = [(each.topic, index) for each in answer.topics for index in each.partitions]
    return (
        f"{answer.transactional_id}: {answer.transaction_state}"
        f" {names.producer(answer.producer_id, answer.producer_epoch)} timeout={answer.transaction_timeout_ms}"
        f" {since_text(answer.transaction_start_time_ms, wall_ms)} {partitions_text(parts)}"
    )


def since_text(start_ms: int, wall_ms: int) -> str:
    return "since=never" if start_ms == -1 else f"since={start_ms - wall_ms}"


def record_text(name: str, value: TransactionLogValue | None, names: Names, wall_ms: int) -> str:
    if value is None:
        return f"record: {name} deleted"
    words = [
        "record:",
        name,
        state_of(value).text,
        names.producer(value.producer_id, value.producer_epoch),
        f"timeout={value.transaction_timeout_ms}",
        since_text(value.transaction_start_timestamp_ms, wall_ms),
        f"version={value.client_transaction_version}",
    ]
    if value.previous_producer_id != value.producer_id:
        words.append(f"previous={names.name(value.previous_producer_id)}")
    if value.next_producer_id != -1:
        words.append(f"next={names.name(value.next_producer_id)}")
    if value.transaction_partitions is not None:
        words.append(partitions_text(partitions_of(value)))
    return " ".join(words)

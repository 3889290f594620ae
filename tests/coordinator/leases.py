"""A machine small enough to see through: values by name, each with a lease that its owner renews."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import final

from ottla.coordinator.machine import Now, Outbox, Record, Reply
from ottla.errors import ErrorCode
from ottla.records import UnknownRecordError
from ottla.records.consumer_offsets import ConsumerGroupMetadataKey, ConsumerGroupMetadataValue
from ottla.wire.codec import WireError

LEASE_MS = 1_000


@final
class Leases:
    """``Machine``."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {}
        self.pending: list[tuple[int, str]] = []
        self.deadlines_ms: dict[str, int] = {}
        self.waiting: list[Reply[int]] = []
        self.expired_at_ms: list[tuple[str, int]] = []

    def apply(self, record: Record) -> None:
        assert isinstance(record.key, ConsumerGroupMetadataKey)
        name = record.key.group_id
        if record.value is None:
            self.values.pop(name, None)
            self.deadlines_ms.pop(name, None)
        else:
            assert isinstance(record.value, ConsumerGroupMetadataValue)
            self.values[name] = record.value.epoch

    def apply_pending(self, producer_id: int, record: Record) -> None:
        assert isinstance(record.key, ConsumerGroupMetadataKey)
        self.pending.append((producer_id, record.key.group_id))

    def intake(self) -> None:
        return None

    def digest(self) -> Iterator[None]:
        return iter(())

    def emitted(self) -> None:
        """Nobody is told."""

    def loaded(self, now: Now) -> None:
        self.deadlines_ms = dict.fromkeys(self.values, now.monotonic_ms + LEASE_MS)

    def next_deadline_ms(self) -> int | None:
        return min(self.deadlines_ms.values(), default=None)

    def advance(self, outbox: Outbox) -> None:
        for name, deadline_ms in list(self.deadlines_ms.items()):
            if deadline_ms <= outbox.now.monotonic_ms:
                self.expired_at_ms.append((name, outbox.now.monotonic_ms))
                outbox.emit(record(name, None))

    def abandon(self) -> Sequence[Reply[int]]:
        return self.waiting

    # operations

    def put(self, outbox: Outbox, name: str, value: int) -> None:
        outbox.emit(record(name, value))
        self.deadlines_ms[name] = outbox.now.monotonic_ms + LEASE_MS

    def renew(self, outbox: Outbox, reply: Reply[int], name: str) -> None:
        if name not in self.values:
            outbox.refuse(reply, ErrorCode.UNKNOWN_MEMBER_ID)
            return
        self.deadlines_ms[name] = outbox.now.monotonic_ms + LEASE_MS
        outbox.answer(reply, self.values[name])


def record(name: str, value: int | None) -> Record:
    """The record that gives ``name`` a value, or takes it away."""
    key = ConsumerGroupMetadataKey(group_id=name)
    return Record(key, None if value is None else ConsumerGroupMetadataValue(epoch=value))


@final
class TextCodec:
    """``RecordCodec``, readable."""

    def encode(self, record: Record) -> tuple[bytes, bytes | None]:
        assert isinstance(record.key, ConsumerGroupMetadataKey)
        if record.key.group_id == "unwritable":
            raise WireError("nobody can write this")
        value = record.value
        assert value is None or isinstance(value, ConsumerGroupMetadataValue)
        return record.key.group_id.encode(), None if value is None else str(value.epoch).encode()

    def decode(self, key: bytes, value: bytes | None) -> Record:
        if key.startswith(b"?"):
            raise UnknownRecordError("no records of this type")
        if value is not None and not value.isdigit():
            raise WireError("no number")
        return record(key.decode(), None if value is None else int(value))

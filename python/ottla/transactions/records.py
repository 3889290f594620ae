"""How transactional ids lie in ``__transaction_state``, in the versions that Kafka 4.4 writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, final

from ottla.coordinator.machine import Record
from ottla.records import TRANSACTION_STATE, UnknownRecordError, coordinator_format
from ottla.records.transaction_state import TransactionLogKey, TransactionLogValue
from ottla.transactions.state import State
from ottla.wire.codec import WireError
from ottla.wire.schema import replace

__all__ = ["TransactionRecords"]

TAGGED_FROM: Final = 1
"""The ``transaction.version`` from which on values are flexible."""
NO_ID: Final = -1
_STORED: Final = frozenset(set(State) - {State.DEAD, State.PREPARE_EPOCH_FENCE})


@final
class TransactionRecords:
    """``RecordCodec`` of ``ottla.coordinator``. ``transaction_version``: the finalized level of the feature, now."""

    __slots__ = ("_format", "_transaction_version")

    def __init__(self, transaction_version: Callable[[], int]) -> None:
        self._format = coordinator_format(TRANSACTION_STATE)
        self._transaction_version = transaction_version

    def encode(self, record: Record) -> tuple[bytes, bytes | None]:
        key, value = record
        if value is None:
            return self._format.encode_key(key), None
        assert isinstance(value, TransactionLogValue)
        version = 1 if self._transaction_version() >= TAGGED_FROM else 0
        if version == 0:
            value = replace(value, previous_producer_id=NO_ID, next_producer_id=NO_ID, client_transaction_version=0)
        return self._format.encode_key(key), self._format.encode_value(value, version)

    def decode(self, key: bytes, value: bytes | None) -> Record:
        decoded = self._format.decode_key(key)
        if not isinstance(decoded, TransactionLogKey):
            raise UnknownRecordError(f"{type(decoded).__name__} is no transactional id")
        if value is None:
            return Record(decoded, None)
        found = self._format.decode_value(decoded, value)
        assert isinstance(found, TransactionLogValue)
        if found.transaction_status not in _STORED:
            raise WireError(f"transactional id {decoded.transactional_id} has status {found.transaction_status}")
        return Record(decoded, found)

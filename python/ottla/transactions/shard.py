"""All transactional ids of one partition of ``__transaction_state``: what is asked of them, and what becomes of it.

Prior art: Kafka's ``TransactionCoordinator`` over a ``TransactionStateManager``. There a change is pending until it is
replicated, and whatever comes meanwhile is refused with CONCURRENT_TRANSACTIONS; while markers are written the change
to Complete is pending already, so that is most of the time between two transactions. Ours applies a change at once and
answers when it is committed, so no request ever meets one half done: of two that come together the second sees what
the first did. What is left of Kafka's window is the time between a decision and its last marker. A request that meets
it waits for the end (``ottla.transactions.waiting``), at most ``TransactionsConfig.wait_ms``, and is looked at anew;
only then is it refused with CONCURRENT_TRANSACTIONS, as in Kafka. So is an InitProducerId that finds a transaction
open: it aborts that, waits, and gets its epoch. Verification waits for nothing, since no client that is right asks for
it then.

Invariants: the record is the state (``ottla.transactions.changes``); markers are due only when their decision is
committed; a decision without partitions is complete in the same batch; who waits does so for a transaction whose
markers are under way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, final

from ottla.coordinator.log import Opening
from ottla.coordinator.machine import CoordinatorError, Now, Outbox, Record, Reply
from ottla.errors import ErrorCode
from ottla.records.transaction_state import TransactionLogKey, TransactionLogValue
from ottla.transactions import changes, listing
from ottla.transactions.beginning import begun, is_stranger
from ottla.transactions.changes import EPOCH_BUMP_FROM, NO_EPOCH, NO_ID, Change, Partition, state_of
from ottla.transactions.checks import check_init
from ottla.transactions.config import TransactionsConfig
from ottla.transactions.ending import Ending, check_end, check_end_old
from ottla.transactions.markers import Markers, MarkersDue
from ottla.transactions.state import PREPARED, State, is_allowed
from ottla.transactions.sweeps import Finding, Sweeps
from ottla.transactions.transaction import Transaction, check_producer, verified
from ottla.transactions.waiting import Waiter, Waiting
from ottla.wire.k22_init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from ottla.wire.k26_end_txn import EndTxnRequest, EndTxnResponse
from ottla.wire.k65_describe_transactions import TransactionState as DescribedTransaction
from ottla.wire.k66_list_transactions import TransactionState as ListedTransaction

__all__ = ["TransactionShard"]

END_BUMPS_FROM: Final = 5
"""The version of EndTxn whose clients speak transaction version 2."""
MARKERS_MAX: Final = 500
"""Some 2 ms, here and where they are written."""
COMPLETIONS_PER_ADVANCE_MAX: Final = 200
"""Some 2 ms."""


@final
class TransactionShard:
    """``Machine`` of ``ottla.coordinator``."""

    def __init__(
        self,
        config: TransactionsConfig,
        coordinator_epoch: int,
        *,
        transaction_version: Callable[[], int],
        take_producer_id: Callable[[], int | None],
        wake: Callable[[], None] = lambda: None,
        report: Callable[[str, str, str], None] = lambda _event, _transactional_id, _detail: None,
    ) -> None:
        """``coordinator_epoch``: leader epoch of the partition. ``transaction_version``: the feature's finalized level,
        now. ``take_producer_id``: one that nobody had before; None while there is none in hand. ``wake`` is called when
        markers are due. ``report``: what an operator should know: event, transactional id, detail."""
        self._config = config
        self._coordinator_epoch = coordinator_epoch
        self._transaction_version = transaction_version
        self._take_producer_id = take_producer_id
        self._wake = wake
        self._report = report
        self._transactions: dict[str, Transaction] = {}
        self._markers = Markers()
        self._waiting = Waiting()
        self._unmarked: dict[str, None] = {}
        """Decided and without partitions, as they were found in the log: complete with the next ``advance``."""
        self._sweeps = Sweeps(config)

    def __len__(self) -> int:
        """How many transactional ids are known."""
        return len(self._transactions)

    @property
    def transactional_ids(self) -> Iterable[str]:
        return self._transactions.keys()

    @property
    def waiting_ids(self) -> Iterable[str]:
        """Those with requests that wait for the end of a transaction."""
        return self._waiting.ids

    def get(self, transactional_id: str) -> TransactionLogValue | None:
        """The newest record of an id, to look at."""
        found = self._transactions.get(transactional_id)
        return None if found is None else found.value

    # --- InitProducerId ---------------------------------------------------------------------------------------------

    def init_producer_id(
        self, request: InitProducerIdRequest, reply: Reply[InitProducerIdResponse], outbox: Outbox
    ) -> None:
        """Answers with the producer id and the epoch to use. Codes: those of ``check_init``, PRODUCER_FENCED,
        CONCURRENT_TRANSACTIONS (a transaction is not complete yet), COORDINATOR_LOAD_IN_PROGRESS (no id in hand)."""
        code = check_init(request, self._config)
        if code is not ErrorCode.NONE:
            outbox.answer(reply, _not_initialized(code))
            return
        self._init(request, reply, outbox, outbox.now.monotonic_ms + self._config.wait_ms)

    def _init(
        self, request: InitProducerIdRequest, reply: Reply[InitProducerIdResponse], outbox: Outbox, until_ms: int
    ) -> None:
        transactional_id = request.transactional_id or ""
        transaction = self._transactions.get(transactional_id)
        if transaction is not None and transaction.state is State.ONGOING and not is_stranger(request, transaction):
            self._fence(transactional_id, transaction, outbox)
        if transaction is not None and transaction.state in PREPARED:
            self._wait(
                transactional_id,
                Waiter(
                    reply,
                    until_ms,
                    lambda box, until_ms: self._init(request, reply, box, until_ms),
                    lambda box: box.answer(reply, _not_initialized(ErrorCode.CONCURRENT_TRANSACTIONS)),
                ),
                outbox,
            )
            return
        change = begun(request, transaction, self._new_producer_id, outbox.now.wall_ms)
        if change is None:
            outbox.answer(reply, _not_initialized(ErrorCode.PRODUCER_FENCED))
            return
        self._change(transactional_id, change, outbox)
        value = change.value
        outbox.answer(reply, InitProducerIdResponse(producer_id=value.producer_id, producer_epoch=value.producer_epoch))

    def _new_producer_id(self) -> int:
        producer_id = self._take_producer_id()
        if producer_id is None:
            raise CoordinatorError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, "producer ids are being fetched")
        return producer_id

    # --- partitions -------------------------------------------------------------------------------------------------

    def add_partitions(
        self,
        transactional_id: str,
        producer_id: int,
        producer_epoch: int,
        partitions: Sequence[Partition],
        reply: Reply[list[ErrorCode]],
        outbox: Outbox,
        *,
        verify_only: bool = False,
        transaction_version: int,
    ) -> None:
        """Makes partitions part of the transaction, or says whether they are. ``transaction_version``: 0 for clients
        that ask themselves (AddPartitionsToTxn up to version 3, AddOffsetsToTxn), 2 where leaders of partitions do.

        A code for each partition: all the same when they are added. INVALID_REQUEST, INVALID_PRODUCER_ID_MAPPING,
        PRODUCER_FENCED, CONCURRENT_TRANSACTIONS; TRANSACTION_ABORTABLE for one that is no part of it."""
        transaction = self._transactions.get(transactional_id)
        if verify_only:
            outbox.answer(reply, verified(transaction, producer_id, producer_epoch, partitions))
            return
        if not transactional_id:
            outbox.answer(reply, [ErrorCode.INVALID_REQUEST] * len(partitions))
            return
        until_ms = outbox.now.monotonic_ms + self._config.wait_ms
        asked = (transactional_id, producer_id, producer_epoch, partitions, transaction_version)
        self._add(asked, reply, outbox, until_ms)

    def _add(
        self,
        asked: tuple[str, int, int, Sequence[Partition], int],
        reply: Reply[list[ErrorCode]],
        outbox: Outbox,
        until_ms: int,
    ) -> None:
        transactional_id, producer_id, producer_epoch, partitions, transaction_version = asked
        transaction = self._transactions.get(transactional_id)
        if transaction is not None and transaction.state in PREPARED:
            self._wait(
                transactional_id,
                Waiter(
                    reply,
                    until_ms,
                    lambda box, until_ms: self._add(asked, reply, box, until_ms),
                    lambda box: box.answer(reply, [ErrorCode.CONCURRENT_TRANSACTIONS] * len(partitions)),
                ),
                outbox,
            )
            return
        code = check_producer(transaction, producer_id, producer_epoch)
        if code is ErrorCode.NONE and transaction is not None and not transaction.holds(partitions):
            change = changes.added(
                transaction.value,
                transaction.last_producer_epoch,
                partitions,
                transaction_version,
                outbox.now.wall_ms,
            )
            self._change(transactional_id, change, outbox)
            if transaction_version < EPOCH_BUMP_FROM:
                # The others hear it as the answer to their question.
                outbox.openings += [Opening(*each, producer_id, producer_epoch) for each in partitions]
        outbox.answer(reply, [code] * len(partitions))

    # --- the end ----------------------------------------------------------------------------------------------------

    def end_txn(self, request: EndTxnRequest, version: int, reply: Reply[EndTxnResponse], outbox: Outbox) -> None:
        """Answers when the outcome is decided for good; markers follow. From version 5 on with the producer id and
        epoch to go on with. Codes: INVALID_REQUEST, INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED, INVALID_TXN_STATE,
        CONCURRENT_TRANSACTIONS, COORDINATOR_LOAD_IN_PROGRESS (no id in hand)."""
        if not request.transactional_id:
            outbox.answer(reply, EndTxnResponse(error_code=ErrorCode.INVALID_REQUEST))
            return
        self._end(request, version, reply, outbox, outbox.now.monotonic_ms + self._config.wait_ms)

    def _end(
        self, request: EndTxnRequest, version: int, reply: Reply[EndTxnResponse], outbox: Outbox, until_ms: int
    ) -> None:
        transactional_id, commit = request.transactional_id, request.committed
        transaction = self._transactions.get(transactional_id)
        bumps = version >= END_BUMPS_FROM
        check = check_end if bumps else check_end_old
        found = check(self.get(transactional_id), request.producer_id, request.producer_epoch, commit=commit)
        if isinstance(found, ErrorCode) or transaction is None:
            outbox.answer(reply, EndTxnResponse(error_code=found if isinstance(found, ErrorCode) else ErrorCode.NONE))
            return
        if found is Ending.WAIT:
            self._wait(
                transactional_id,
                Waiter(
                    reply,
                    until_ms,
                    lambda box, until_ms: self._end(request, version, reply, box, until_ms),
                    lambda box: box.answer(reply, EndTxnResponse(error_code=ErrorCode.CONCURRENT_TRANSACTIONS)),
                ),
                outbox,
            )
            return
        if found is Ending.PREPARE:
            state = State.PREPARE_COMMIT if commit else State.PREPARE_ABORT
            self._prepare(transactional_id, self._ended(transaction, state, bumps, outbox.now.wall_ms), outbox)
        outbox.answer(reply, _ended_answer(transaction, bumps))

    def _ended(self, transaction: Transaction, state: State, bumps: bool, wall_ms: int) -> Change:
        value = transaction.value
        rotates = bumps and changes.is_exhausted(value.producer_epoch)
        next_producer_id = self._new_producer_id() if rotates else NO_ID
        version = EPOCH_BUMP_FROM if bumps else 0
        return changes.ended(value, transaction.last_producer_epoch, state, version, next_producer_id, wall_ms)

    def _fence(self, transactional_id: str, transaction: Transaction, outbox: Outbox) -> None:
        """Aborts an open transaction against its producer. Raises CoordinatorError."""
        value, version = transaction.value, self._transaction_version()
        rotates = version >= EPOCH_BUMP_FROM and changes.is_exhausted(value.producer_epoch)
        next_producer_id = self._new_producer_id() if rotates else NO_ID
        assert is_allowed(transaction.state, State.PREPARE_EPOCH_FENCE, version)
        self._prepare(transactional_id, changes.fenced(value, version, next_producer_id, outbox.now.wall_ms), outbox)

    def _prepare(self, transactional_id: str, change: Change, outbox: Outbox) -> None:
        """The outcome is decided. With partitions, markers are due when that is committed."""
        self._change(transactional_id, change, outbox)
        value = change.value
        if value.transaction_partitions:
            outbox.answers.append(lambda: self._decided(transactional_id, value))
        else:
            self._complete(transactional_id, outbox)

    def _decided(self, transactional_id: str, value: TransactionLogValue) -> None:
        transaction = self._transactions.get(transactional_id)
        if transaction is not None and transaction.value is value:
            self._markers.begin(transactional_id, value)
            self._wake()

    def _complete(self, transactional_id: str, outbox: Outbox) -> None:
        """Every partition has its marker: those who waited for that go on."""
        transaction = self._transactions[transactional_id]
        change = changes.completed(transaction.value, transaction.last_producer_epoch, outbox.now.wall_ms)
        self._change(transactional_id, change, outbox)
        for waiter in self._waiting.take(transactional_id):
            try:
                waiter.again(outbox, waiter.until_ms)
            except CoordinatorError as error:
                outbox.refuse(waiter.reply, error.code, error.message)

    # --- markers ----------------------------------------------------------------------------------------------------

    def markers_due(self, partitions_max: int = MARKERS_MAX) -> list[MarkersDue]:
        """What is to be written to partitions now, to so many at most. Each is given once: it is on its way until
        ``markers_written`` tells what came of it."""
        return self._markers.take_due(self._coordinator_epoch, partitions_max)

    @property
    def has_markers_due(self) -> bool:
        """Is something left of what is due?"""
        return self._markers.has_due

    def markers_written(self, due: MarkersDue, results: Mapping[Partition, ErrorCode], outbox: Outbox) -> None:
        """What came of some or all of the markers that were given as ``due``; see ``markers.outcome_of``. What is told
        late, or twice, changes nothing. What it emits need not be written together: it may be of many who waited."""
        transactional_id = due.transactional_id
        delivery = self._markers.get(transactional_id)
        if delivery is None or delivery is not due.decision:
            return
        for event, detail in self._markers.written(transactional_id, delivery, results, outbox.now.monotonic_ms):
            self._report(event, transactional_id, detail)
        if not delivery.left:
            self._complete(transactional_id, outbox)

    def is_under_way(self, due: MarkersDue) -> bool:
        """Is it of a transaction that waits for its markers? What is not need not be sent any more."""
        delivery = self._markers.get(due.transactional_id)
        return delivery is not None and delivery is due.decision

    # --- looking ----------------------------------------------------------------------------------------------------

    def described(self, transactional_id: str) -> DescribedTransaction:
        """INVALID_REQUEST, TRANSACTIONAL_ID_NOT_FOUND. Of one that is ending, the partitions without a marker."""
        delivery = self._markers.get(transactional_id)
        left = None if delivery is None else delivery.left
        return listing.described(transactional_id, self.get(transactional_id), left)

    def list(
        self,
        reply: Reply[list[ListedTransaction]],
        outbox: Outbox,
        *,
        states: frozenset[State] | None = None,
        producer_ids: frozenset[int] = frozenset(),
        duration_ms: int = -1,
        matches: Callable[[str], bool] | None = None,
    ) -> None:
        """Those in one of ``states`` (None: any), of one of ``producer_ids`` (none: any), which began more than
        ``duration_ms`` ago (below 0: whenever), with an id that ``matches``."""
        wanted = listing.Filter(states, producer_ids, duration_ms, matches)
        found = [
            ListedTransaction(
                transactional_id=name, producer_id=each.value.producer_id, transaction_state=each.state.text
            )
            for name, each in self._transactions.items()
            if wanted.takes(name, each.value, outbox.now.wall_ms)
        ]
        outbox.answer(reply, found)

    # --- the machine ------------------------------------------------------------------------------------------------

    def apply(self, record: Record) -> None:
        key, value = record
        assert isinstance(key, TransactionLogKey), f"{key} is no transactional id"
        transactional_id = key.transactional_id
        if value is None:
            self._transactions.pop(transactional_id, None)
            self._markers.end(transactional_id)
            return
        assert isinstance(value, TransactionLogValue)
        transaction = self._transactions.get(transactional_id)
        if transaction is None:
            self._transactions[transactional_id] = Transaction(value)
        else:
            transaction.value = value
        if state_of(value) not in PREPARED:
            self._markers.end(transactional_id)

    def apply_pending(self, producer_id: int, record: Record) -> None:
        raise AssertionError(f"{record.key} is in a transaction of producer {producer_id}: nobody writes it so")

    def intake(self) -> None:
        """Every record is read here: there are few."""

    def digest(self) -> Iterator[None]:
        return iter(())

    def emitted(self) -> None:
        """Nobody is told."""

    def loaded(self, now: Now) -> None:
        """Decisions that were found have their markers sent again: nobody knows which partitions have one."""
        for transactional_id, transaction in self._transactions.items():
            if transaction.state not in PREPARED:
                continue
            if transaction.value.transaction_partitions:
                self._markers.begin(transactional_id, transaction.value)
            else:
                self._unmarked[transactional_id] = None
        self._sweeps.begin(now)
        if self._markers.has_due:
            self._wake()

    def next_deadline_ms(self) -> int | None:
        if self._unmarked:
            return 0
        parts = (self._markers.next_deadline_ms(), self._waiting.next_deadline_ms(), self._sweeps.next_deadline_ms())
        return min((due_ms for due_ms in parts if due_ms is not None), default=None)

    def advance(self, outbox: Outbox) -> None:
        now_ms = outbox.now.monotonic_ms
        for transactional_id in list(self._unmarked)[:COMPLETIONS_PER_ADVANCE_MAX]:
            del self._unmarked[transactional_id]
            self._complete(transactional_id, outbox)
        for waiter in self._waiting.overdue(now_ms):
            waiter.refuse(outbox)
        self._markers.advance(now_ms)
        if self._markers.has_due:
            self._wake()
        for transactional_id, finding in self._sweeps.advance(outbox.now, self._transactions):
            if finding is Finding.EXPIRED:
                # One by one: together they might be too large, and nobody minds if only some get into the log.
                outbox.emit(Record(TransactionLogKey(transactional_id=transactional_id), None))
            elif finding is Finding.TIMED_OUT:
                self._time_out(transactional_id, outbox)
            else:
                self._name(transactional_id, outbox.now.wall_ms)

    def _name(self, transactional_id: str, wall_ms: int) -> None:
        """Once in its life: who waits for it should know before long."""
        transaction = self._transactions[transactional_id]
        since_ms = transaction.value.transaction_start_timestamp_ms
        if transaction.named_since_ms != since_ms:
            transaction.named_since_ms = since_ms
            self._report("transaction is open for long", transactional_id, listing.told(transaction.value, wall_ms))

    def _time_out(self, transactional_id: str, outbox: Outbox) -> None:
        try:
            self._fence(transactional_id, self._transactions[transactional_id], outbox)
        except CoordinatorError as error:
            # The next sweep tries again.
            self._report("transaction that timed out is not aborted", transactional_id, str(error))

    def abandon(self) -> Sequence[Reply[Any]]:
        return [waiter.reply for waiter in self._waiting]

    # --- within -----------------------------------------------------------------------------------------------------

    def _change(self, transactional_id: str, change: Change, outbox: Outbox) -> None:
        """Raises CoordinatorError, having changed nothing."""
        transaction = self._transactions.get(transactional_id)
        old, new = State.EMPTY if transaction is None else transaction.state, state_of(change.value)
        assert is_allowed(old, new, change.value.client_transaction_version), (
            f"transactional id {transactional_id} cannot go from {old.text} to {new.text}"
        )
        outbox.emit(Record(TransactionLogKey(transactional_id=transactional_id), change.value))
        self._transactions[transactional_id].last_producer_epoch = change.last_producer_epoch

    def _wait(self, transactional_id: str, waiter: Waiter, outbox: Outbox) -> None:
        if not self._waiting.add(transactional_id, waiter):
            waiter.refuse(outbox)


def _not_initialized(code: ErrorCode) -> InitProducerIdResponse:
    return InitProducerIdResponse(error_code=code, producer_id=NO_ID, producer_epoch=NO_EPOCH)


def _ended_answer(transaction: Transaction, bumps: bool) -> EndTxnResponse:
    """Where the id is rotated, the next one is told as soon as the outcome is decided."""
    if not bumps:
        return EndTxnResponse()
    value = transaction.value
    if value.next_producer_id != NO_ID:
        return EndTxnResponse(producer_id=value.next_producer_id, producer_epoch=0)
    return EndTxnResponse(producer_id=value.producer_id, producer_epoch=value.producer_epoch)

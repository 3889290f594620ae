"""The seam between a coordinator's decisions and the log that holds them.

Prior art: Kafka's ``CoordinatorShard`` and ``CoordinatorResult``. There an operation returns records and a response,
and ``replay`` applies the records; timers and futures are reached for from inside. Ours gives each operation an
``Outbox``: what it emits is applied at once, by the same ``apply`` that replays the log at a start, and answers are
noted beside it. Nothing of this reads a clock, sleeps or awaits.

Invariants: state that the log remembers changes in ``apply`` alone; an operation that emits something too large changes
nothing; answers leave when everything that was applied before them is committed, never earlier, and in order.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar, final

from ottla.coordinator.log import Intake, Opening, SentReply
from ottla.errors import ErrorCode

__all__ = [
    "LEAVE",
    "Answer",
    "CoordinatorError",
    "Leave",
    "Machine",
    "Now",
    "Offer",
    "Outbox",
    "Record",
    "Reply",
    "Standing",
]

T = TypeVar("T")


class Now(NamedTuple):
    """Both clocks at the beginning of an operation."""

    monotonic_ms: int
    """For deadlines."""
    wall_ms: int
    """For records: milliseconds since 1970."""


class Record(NamedTuple):
    """One record of the coordinator's topic: messages of ``ottla.records``, or, where whoever emits it has made them
    already and nobody needs the messages, the bytes that are written, of key and value both."""

    key: object
    """Of a class that ``@message`` declares (type checkers do not see what those have in common), or bytes."""
    value: object
    """None deletes what stands under the key."""


@final
class Leave(enum.Enum):
    """The answer to a request that asks for more than itself: may the data plane carry out such requests?"""

    GIVEN = enum.auto()
    """It may, this one too. The machine has told it what it needs."""


LEAVE: Final = Leave.GIVEN


class CoordinatorError(Exception):
    """An operation ended without an answer of its own: the code that each part of the response gets, and why."""

    def __init__(self, code: ErrorCode, message: str | None = None) -> None:
        super().__init__(message or code.name)
        self.code = code
        self.message = message


class Standing(Protocol):
    """An answer that the data plane gives to every request of the same bytes on a connection, until it is taken back or
    its time is over. Times are on the monotonic clock."""

    def used_ms(self) -> int:
        """When it was given last. Never early."""

    def withdraw(self) -> int:
        """Take it back, for good; when it was given last. Who is answered after this asks the machine."""


class Offer(Protocol):
    """What comes with an answer that would be the same if the request came again."""

    @property
    def used_ms(self) -> int:
        """When it was decided."""

    @property
    def until_ms(self) -> int:
        """It must not be given from then on."""

    @property
    def is_good(self) -> bool:
        """Would it still be the same?"""

    def hold(self, standing: Standing) -> None:
        """It stands from now on. To be called when the answer leaves, at once after ``is_good``."""


@final
class Reply(Generic[T]):
    """An answer that is owed to one request. A machine keeps it for as long as the request waits, and answers it
    through an ``Outbox``; whoever runs the machine settles it when that answer may be known."""

    __slots__ = ("_call", "_is_sent", "_outcome", "_owed", "_send_ahead", "offer")

    def __init__(self, owed: dict[Reply[Any], None] | None = None) -> None:
        """``owed``: where it stands until it is settled."""
        self._call: Callable[[], None] | None = None
        self._send_ahead: Callable[[T], SentReply | None] | None = None
        self._is_sent = False
        self._outcome: tuple[T] | CoordinatorError | None = None
        self._owed = owed
        self.offer: Offer | None = None
        """What comes with an answer that would be the same if the request came again."""
        if owed is not None:
            owed[self] = None

    @property
    def is_settled(self) -> bool:
        """Is there an answer, or the reason why there is none?"""
        return self._outcome is not None

    def result(self) -> T:
        """The answer; raises CoordinatorError when there is none. Only once it is settled."""
        assert self._outcome is not None, "nobody has answered yet"
        if isinstance(self._outcome, CoordinatorError):
            raise self._outcome
        return self._outcome[0]

    def when_settled(self, call: Callable[[], None], send_ahead: Callable[[T], SentReply | None] | None = None) -> None:
        """Calls once, now or later. One caller at most. With ``send_ahead``, which gives the response to an answer,
        whoever writes what the answer waits for may have that sent as well: then nobody is called."""
        assert self._call is None, "somebody else waits for it already"
        self._send_ahead = send_ahead
        if self._outcome is None:
            self._call = call
        else:
            call()

    def send_ahead(self, answer: T) -> SentReply | None:
        """The response, for whoever has it sent if what it waits for is committed, and settles this afterwards, or
        lets it fail. None: it is not to be sent so."""
        if self._send_ahead is None:
            return None
        reply = self._send_ahead(answer)
        self._is_sent = reply is not None
        return reply

    def succeed(self, answer: T) -> None:
        """Settle it. One that is settled stays as it is: its coordinator was given up meanwhile."""
        self._settle((answer,))

    def fail(self, error: CoordinatorError) -> None:
        """Settle it without an answer."""
        self.offer = None
        self._settle(error)

    def forget(self) -> None:
        """Nobody waits for it any longer."""
        self._call = self._send_ahead = None
        if self._owed is not None:
            self._owed.pop(self, None)

    def _settle(self, outcome: tuple[T] | CoordinatorError) -> None:
        if self._outcome is None:
            self._outcome = outcome
            call = self._call
            self.forget()
            if call is not None and not (self._is_sent and isinstance(outcome, tuple)):
                call()


@final
class Answer(Generic[T]):
    """Settles one reply when it is called."""

    __slots__ = ("_answer", "_reply")

    def __init__(self, reply: Reply[T], answer: T) -> None:
        self._reply = reply
        self._answer = answer

    def __call__(self) -> None:
        self._reply.succeed(self._answer)

    def send_ahead(self) -> SentReply | None:
        """See ``Reply.send_ahead``."""
        return self._reply.send_ahead(self._answer)


@final
class Outbox:
    """What one operation comes to. ``check`` raises CoordinatorError when records cannot be written whatever happens
    (too large); ``apply`` is the machine's own."""

    __slots__ = ("_apply", "_check", "answers", "check_whole", "in_doubt", "now", "openings", "records")

    check_whole: Callable[[Sequence[Record]], None]
    """As ``check``, and raises also when records cannot be written together. Not set where that is the same."""

    def __init__(
        self,
        now: Now,
        apply: Callable[[Record], None],
        check: Callable[[Sequence[Record]], None] = lambda _records: None,
        *,
        in_doubt: bool = False,
    ) -> None:
        """``in_doubt``: something of a transaction is on its way to the log, and not known to be in it."""
        self.now = now
        self.in_doubt = in_doubt
        self.records: list[Record] = []
        self.answers: list[Callable[[], None]] = []
        """Each settles one reply; in order, once everything emitted until then is committed."""
        self.openings: list[Opening] = []
        """What partitions are told, no later than any reply, when what was emitted is committed."""
        self._apply = apply
        self._check = check

    def emit(self, *records: Record) -> None:
        """Decide: the records are applied now and written together. Raises CoordinatorError, having changed nothing."""
        self._check(records)
        for record in records:
            self._apply(record)
            self.records.append(record)

    def emit_prepared(
        self, records: Sequence[Record], encoded: Sequence[Record], apply: Callable[[], None] | None = None
    ) -> None:
        """As ``emit``, for what was made ready before, some at a time: it is written together whoever emits.
        ``encoded``: the same as bytes. ``apply`` does at once what applying each of the records does."""
        getattr(self, "check_whole", self._check)(encoded)
        if apply is None:
            for record in records:
                self._apply(record)
        else:
            apply()
        self.records += records

    def answer(self, reply: Reply[T], answer: T) -> None:
        """The request gets this, once it may be known."""
        self.answers.append(Answer(reply, answer))

    def answer_with(self, reply: Reply[T], make: Callable[[], T]) -> None:
        """The request gets what ``make`` gives, which is called when the answer leaves: where many are answered at
        once, which leave some at a time. It must not look at anything that changes."""
        self.answers.append(lambda: reply.succeed(make()))

    def refuse(self, reply: Reply[T], code: ErrorCode, message: str | None = None) -> None:
        """The request gets an error, once it may be known."""
        error = CoordinatorError(code, message)
        self.answers.append(lambda: reply.fail(error))


class Machine(Protocol):
    """The state of one partition of a coordinator's topic."""

    def apply(self, record: Record) -> None:
        """Change the state as the record says: at the moment it is emitted, and when the log is replayed. Records that
        contradict the state are taken as they come: a compacted log has gaps."""

    def apply_pending(self, producer_id: int, record: Record) -> None:
        """A replayed record of a transaction that is still open: it counts when that is committed."""

    def intake(self) -> Intake | None:
        """What takes records straight from the log that is replayed; ``apply`` and ``apply_pending`` get the others.
        None: they get all."""

    def digest(self) -> Iterator[None]:
        """Everything is replayed: what the machine has to do about what ``intake`` took, some microseconds with each
        step."""

    def emitted(self) -> Callable[[], None] | None:
        """An operation has emitted something, which is applied: what to call when that is committed, if anything."""

    def loaded(self, now: Now) -> None:
        """The replay is done: deadlines of what was found begin."""

    def next_deadline_ms(self) -> int | None:
        """When ``advance`` must be called at the latest, on the monotonic clock; None when nothing is due by itself."""

    def advance(self, outbox: Outbox) -> None:
        """Do what is due at ``outbox.now``: expire members, end phases. At most some milliseconds of work; what is left
        is due at once."""

    def abandon(self) -> Sequence[Reply[Any]]:
        """The partition is led elsewhere, or must be read again: gives the replies still owed to requests inside."""

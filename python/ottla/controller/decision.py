"""What a decider returns: the records to write and the answer to give once they are committed.

Prior art: Kafka's ``ControllerResult`` and ``ApiError``. Invariant: a decider changes nothing; it reads an image and
emits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar, final

from ottla.errors import ErrorCode

__all__ = ["RECORDS_PER_USER_OPERATION_MAX", "ApiError", "Decision", "Refused"]

T = TypeVar("T")

RECORDS_PER_USER_OPERATION_MAX: Final = 10_000
"""``QuorumController.MAX_RECORDS_PER_USER_OP``: one request may not fill the metadata log."""


class ApiError(NamedTuple):
    """A refusal: the code, and words for a human when Kafka has any beside the code's own."""

    code: ErrorCode
    message: str | None = None


class Refused(Exception):
    """A request, or one item of it, is refused. Raised and caught inside the controller."""

    def __init__(self, code: ErrorCode, message: str | None = None) -> None:
        super().__init__(code, message)
        self.error: Final = ApiError(code, message)


@final
@dataclass(slots=True, frozen=True)
class Decision(Generic[T]):
    """Records to append, and the answer for when they are committed."""

    records: Sequence[object]
    answer: T
    atomic: bool = True
    """All in one batch; else they may be split."""

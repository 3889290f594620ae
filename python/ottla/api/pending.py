"""A response that a coordinator owes, or leave for the data plane to make it.

Most requests of groups are decided at once, and answered when what was decided is committed. A task for each would cost
more than all the rest of its way: so a handler may be a plain function that returns a ``Pending``, and whoever sends
responses is called when it is there.

Some requests come only so that something is decided which holds for many more: then the answer is ``LEAVE``, and the
data plane carries out this one and those that follow. Only to those that ask for it (``RequestContext.asks_leave``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, final, overload

from ottla.coordinator.log import SentReply
from ottla.coordinator.machine import CoordinatorError, Offer, Reply

__all__ = ["Pending"]

A = TypeVar("A")
T = TypeVar("T")


@final
class Pending(Generic[T]):
    """The response, once ``when_ready`` has called."""

    __slots__ = ("_failed", "_finished", "_is_fixed", "_reply")

    @overload
    def __init__(self, reply: Reply[T], failed: Callable[[CoordinatorError], T], *, is_fixed: bool = False) -> None: ...

    @overload
    def __init__(
        self,
        reply: Reply[A],
        failed: Callable[[CoordinatorError], A],
        finished: Callable[[A], T],
        *,
        is_fixed: bool = False,
    ) -> None: ...

    def __init__(
        self,
        reply: Reply[Any],
        failed: Callable[[CoordinatorError], Any],
        finished: Callable[[Any], T] | None = None,
        *,
        is_fixed: bool = False,
    ) -> None:
        """``failed``: the answer for a coordinator's refusal. ``finished``: the response for either, of what the
        handler had found out before it asked. ``is_fixed``: that looks at nothing else, so it may be made before the
        answer may be known."""
        self._reply = reply
        self._failed = failed
        self._finished = finished
        self._is_fixed = is_fixed

    def when_ready(self, call: Callable[[], None], send_ahead: Callable[[T], SentReply | None] | None = None) -> None:
        """Calls once, now or later, unless what ``send_ahead`` made of a response that is fixed was sent by then. One
        caller at most."""
        if self._is_fixed and send_ahead is not None:
            self._reply.when_settled(call, lambda answer: send_ahead(self._of(answer)))
        else:
            self._reply.when_settled(call)

    def response(self) -> T:
        """Only once it is ready."""
        try:
            answer = self._reply.result()
        except CoordinatorError as error:
            answer = self._failed(error)
        return self._of(answer)

    def _of(self, answer: Any) -> T:
        response: T = answer if self._finished is None else self._finished(answer)
        return response

    @property
    def offer(self) -> Offer | None:
        """Of a response that may stand. Only once it is ready."""
        return None if self._finished is not None else self._reply.offer

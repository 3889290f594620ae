"""How long an admin request may take: its own timeout bounds the commit, and what is left of it the waiting until it is
served."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

from ottla.api.broker import MetadataCache
from ottla.controller.decision import Refused
from ottla.errors import ErrorCode

__all__ = ["within"]

T = TypeVar("T")


async def within(timeout_ms: int, write: Callable[[], Awaitable[tuple[T, range]]], metadata: MetadataCache) -> T:
    """The answer of ``write`` once it is committed, and served if that comes within the time, too: what is committed is
    never answered as if it were not. Raises Refused(REQUEST_TIMED_OUT) without trying when there is no time at all, as
    Kafka does."""
    if timeout_ms <= 0:
        raise Refused(ErrorCode.REQUEST_TIMED_OUT)
    deadline = trio.current_time() + timeout_ms / 1000
    with trio.move_on_at(deadline) as scope:
        answer, offsets = await write()
    if scope.cancelled_caught:
        raise Refused(ErrorCode.REQUEST_TIMED_OUT)
    with trio.move_on_at(deadline):
        await metadata.wait_served(offsets)
    return answer

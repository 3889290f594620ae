"""The data plane of a history, as far as answers that stand go: keeps them, gives them, and has each compared with what
the machine would say."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, final

from ottla.coordinator.machine import Outbox, Reply
from ottla.groups.deadlines import Timer

__all__ = ["Below", "HeldAnswer"]


@final
class HeldAnswer:
    """``Standing`` of ``ottla.coordinator.machine``."""

    def __init__(self, used_ms: int, until_ms: int) -> None:
        self._used_ms = used_ms
        self._until_ms = until_ms
        self._is_withdrawn = False

    def stands(self, now_ms: int) -> bool:
        return not self._is_withdrawn and now_ms < self._until_ms

    def use(self, now_ms: int) -> bool:
        if self.stands(now_ms):
            self._used_ms = max(self._used_ms, now_ms)
            return True
        return False

    def used_ms(self) -> int:
        return self._used_ms

    def withdraw(self) -> int:
        self._is_withdrawn = True
        return self._used_ms


Ask = Callable[[Reply[Any], Outbox], None]


class Kept(NamedTuple):
    held: HeldAnswer
    answer: Any
    ask: Ask


@final
class Below:
    """Connections that keep any number of answers."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, Kept] = {}
        self.given = 0

    def keep(self, key: Hashable, reply: Reply[Any], ask: Ask) -> None:
        """An answer leaves."""
        offer = reply.offer
        if offer is not None and offer.is_good:
            held = HeldAnswer(offer.used_ms, offer.until_ms)
            offer.hold(held)
            self._kept[key] = Kept(held, reply.result(), ask)

    def give(self, key: Hashable, now_ms: int) -> Any:
        """The answer to a request, if it stands."""
        kept = self._kept.get(key)
        if kept is None or not kept.held.use(now_ms):
            return None
        self.given += 1
        return kept.answer

    def standing(self, now_ms: int) -> list[tuple[Any, Kept]]:
        """What would be given now, with its key."""
        return [(key, kept) for key, kept in self._kept.items() if kept.held.stands(now_ms)]

    def check(self, now_ms: int, outbox: Callable[[], Outbox], session_of: Callable[[Any], Timer]) -> None:
        """Whoever asks the machine gets the same. ``session_of`` finds the session of who asks, by the key."""
        for key, kept in self.standing(now_ms):
            session, asked, reply = session_of(key), outbox(), Reply[Any]()
            at_ms = session.at_ms
            kept.ask(reply, asked)
            assert not asked.records, f"{key} would change the group"
            for settle in asked.answers:
                settle()
            assert reply.result() == kept.answer, f"{key} would hear something else"
            # As if nobody had asked.
            session.at_ms = at_ms

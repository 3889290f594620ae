"""The line to the engine: what it does when something comes up that must not."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import trio

from ottla.dataplane.plane import ENDED_TWICE, Callbacks, Fact, Plane
from tests.support.engine import engine


class EndsTwice:
    """An engine that tells the end of each command again."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def drain(self, requests_max: int) -> tuple[Any, ...]:
        done, *rest = self._inner.drain(requests_max)
        return [each for each in done for _ in "12"], *rest


def test_a_second_end_is_told_and_changes_nothing(tmp_path: Path) -> None:
    facts: list[Fact] = []

    async def main(plane: Plane) -> None:
        callbacks = Callbacks(lambda _request: None, facts.append, lambda _reason: None, lambda: None)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(plane.run, callbacks)
            for _ in range(3):
                (described,) = await plane.describe()
                assert described.path == str(tmp_path)
            nursery.cancel_scope.cancel()

    with engine(tmp_path) as serving:
        plane = serving.plane
        plane._engine = cast("Any", EndsTwice(plane._engine))
        trio.run(main, plane)
    assert [fact.subject for fact in facts] == [ENDED_TWICE] * 3
    assert [fact.text.split(",")[0] for fact in facts] == ["ticket 1", "ticket 2", "ticket 3"]

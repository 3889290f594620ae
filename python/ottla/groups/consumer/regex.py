"""Subscriptions by regular expression: what the group asks for, and how it is answered off the request path.

Prior art: Kafka's ``TopicRegexResolver``, on an executor's thread. Here the group asks (``Question``), and the machine
finds the topics between requests, in slices, as something that is due. Syntax is RE2's, matched in linear time, by
whatever is injected as ``Compile``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple, Protocol, TypeAlias

__all__ = ["Answer", "Compile", "CompiledPattern", "Describable", "PatternError", "Question", "Resolved", "resolve"]

MATCHES_PER_SLICE: Final = 250
"""A match takes some 2 microseconds, and the authorizer as much again."""


class PatternError(ValueError):
    """Not a regular expression; the text says where and why."""


class CompiledPattern(Protocol):
    """A regular expression, ready."""

    def fullmatch(self, text: str) -> bool:
        """Does it match the whole text? In time linear in it."""


Compile: TypeAlias = Callable[[str], CompiledPattern]
"""Raises PatternError, also for what would be too large."""

Describable: TypeAlias = Callable[[str], bool]
"""May the principal behind a request Describe a topic?"""


class Resolved(NamedTuple):
    """The topics that an expression matched."""

    topics: frozenset[str]
    version: int
    """Of the topics that were looked at."""
    timestamp_ms: int
    """Milliseconds since 1970."""


class Question(NamedTuple):
    """Which topics do these expressions match?"""

    group_id: str
    expressions: tuple[str, ...]
    describable: Describable
    """What the member may see that made the group ask."""


class Answer(NamedTuple):
    """The topics of each expression."""

    group_id: str
    found: Mapping[str, Resolved]


def resolve(
    question: Question, compile_: Compile, names: Iterable[str], version: int, wall_ms: int
) -> Iterator[Answer | None]:
    """Finds the answer in slices: yields None after each, and the answer at last. ``names`` must stay as they are."""
    allowed: dict[str, bool] = {}
    found: dict[str, Resolved] = {}
    count = 0
    for expression in question.expressions:
        matched = []
        try:
            pattern = compile_(expression)
        except PatternError:
            # It was written by a release that took it: it matches nothing.
            found[expression] = Resolved(frozenset(), version, wall_ms)
            continue
        for name in names:
            if pattern.fullmatch(name):
                may = allowed.get(name)
                if may is None:
                    may = allowed[name] = question.describable(name)
                if may:
                    matched.append(name)
            count += 1
            if not count % MATCHES_PER_SLICE:
                yield None
        found[expression] = Resolved(frozenset(matched), version, wall_ms)
    yield Answer(question.group_id, found)

"""Subscriptions by regular expression: what the group asks for, and how it is answered off the request path.

Prior art: Kafka's ``TopicRegexResolver``, on an executor's thread. Here the group asks (``Question``), whoever runs it
finds the names in its own time, in slices, and hands the ``Answer`` in as an operation. Syntax is RE2's, matched in
linear time, by whatever is injected as ``Compile``: no expression takes long, whatever it is built for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Final, NamedTuple, Protocol, TypeAlias

__all__ = ["Answer", "Compile", "CompiledPattern", "Describable", "PatternError", "Question", "Resolved", "resolve"]

TOPICS_PER_SLICE: Final = 1_000
"""A match takes a microsecond; a slice stays well under 5 ms with several expressions."""


class PatternError(ValueError):
    """Not a regular expression; the text says where and why."""


class CompiledPattern(Protocol):
    """A regular expression, ready."""

    def fullmatch(self, text: str) -> bool:
        """Does it match the whole text? In time linear in it."""


Compile: TypeAlias = Callable[[str], CompiledPattern]
"""Raises PatternError, also for what would be too large."""

Describable: TypeAlias = Callable[[Collection[str]], Collection[str]]
"""Those of some topics that a principal may Describe."""


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
    member_id: str
    """On whose behalf."""
    expressions: tuple[str, ...]
    describable: Describable
    """What that member may see."""


class Answer(NamedTuple):
    """The topics of each expression, or None when they could not be found."""

    group_id: str
    found: Mapping[str, Resolved] | None


def resolve(
    question: Question, compile_: Compile, names: Iterable[str], version: int, wall_ms: int
) -> Iterator[Answer | None]:
    """Finds the answer in slices: yields None after each, and the answer at last. ``names`` must stay as they are."""
    patterns: dict[str, CompiledPattern] = {}
    for expression in question.expressions:
        try:
            patterns[expression] = compile_(expression)
        except PatternError:
            # It was written by a release that took it: it matches nothing.
            continue
    matched: dict[str, set[str]] = {expression: set() for expression in question.expressions}
    for count, name in enumerate(names, 1):
        for expression, pattern in patterns.items():
            if pattern.fullmatch(name):
                matched[expression].add(name)
        if not count % TOPICS_PER_SLICE:
            yield None
    allowed = frozenset(question.describable(frozenset().union(*matched.values())))
    found = {
        expression: Resolved(frozenset(some) & allowed, version, wall_ms) for expression, some in matched.items()
    }
    yield Answer(question.group_id, found)

"""Regular expressions of subscriptions: Kafka's syntax and words, and no expression takes long."""

from __future__ import annotations

import pytest

from ottla.groups.consumer.patterns import EXPRESSION_BYTES_MAX, compile_pattern
from ottla.groups.consumer.regex import MATCHES_PER_SLICE, Answer, PatternError, Question, resolve


@pytest.mark.parametrize(
    ("expression", "text", "matches"),
    [
        ("t.*", "topic", True),
        ("opi", "topic", False),
        ("^topic$", "topic", True),
        ("a|topic", "topic", True),
        ("(?i)TOPIC", "topic", True),
        (r"\w+\.[0-9]{2,3}", "topic.042", True),
        (r"\pL+", "topic", True),
        ("", "topic", False),
    ],
)
def test_the_whole_text_counts(expression: str, text: str, matches: bool) -> None:
    assert compile_pattern(expression).fullmatch(text) is matches


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("(", "missing closing )"),
        (")", "unexpected closing )"),
        ("[a", "missing closing ]"),
        ("*", "missing argument to repetition operator"),
        ("a**", "invalid nested repetition operator"),
        ("a{1001}", "invalid repeat count"),
        ("(?=a)", "invalid or unsupported Perl syntax"),
        (r"\1", "invalid escape sequence"),
        ("a\\", "trailing backslash at end of expression"),
        ("a" * (EXPRESSION_BYTES_MAX + 1), f"expression too long: {EXPRESSION_BYTES_MAX + 1} bytes"),
        ("((a{100}){10}){10}", "invalid repeat count"),
    ],
)
def test_what_is_none_is_refused_in_kafkas_words(expression: str, reason: str) -> None:
    with pytest.raises(PatternError) as error:
        compile_pattern(expression)
    assert str(error.value) == reason


def test_what_would_take_much_memory_is_refused() -> None:
    with pytest.raises(PatternError, match="pattern too large"):
        compile_pattern(r"\pL{900}" * 9)


def test_what_is_built_to_explode_does_not() -> None:
    """Each takes longer than the universe is old where expressions are tried by going back."""
    text = "a" * 249 + "!"
    for expression in ("(a*)*b", "(a|aa)+b", "(a|a?)+b", "((a+)+)+b", "(.*)*(.*)*(.*)*b"):
        assert not compile_pattern(expression).fullmatch(text)


def test_answers_are_found_in_slices() -> None:
    names = [f"t{number}" for number in range(3 * MATCHES_PER_SLICE)]
    asked: list[str] = []

    def describable(name: str) -> bool:
        asked.append(name)
        return name != "t7"

    question = Question("g", ("t.*", "t7|t8", "("), describable)
    *slices, answer = resolve(question, compile_pattern, names, 5, 1_000)
    assert slices == [None] * 6
    assert isinstance(answer, Answer)
    assert {expression: len(found.topics) for expression, found in answer.found.items()} == {
        "t.*": len(names) - 1,
        "t7|t8": 1,
        "(": 0,
    }
    assert len(asked) == len(names), "a topic is asked about once"

"""Regular expressions by RE2: Kafka's syntax (its RE2/J is a port), matched in time linear in the text, whatever the
expression is built for. Python's own ``re`` would let one member stop the broker.

The only importer of google-re2, which is loaded when the first member subscribes with an expression.
"""

from __future__ import annotations

from typing import Any, Final, final

from ottla.groups.consumer.regex import CompiledPattern, PatternError

__all__ = ["compile_pattern"]

COMPILED_BYTES_MAX: Final = 1 << 20
"""Of one expression, automaton included: thousands of characters, and some hundreds of members' expressions at once
still fit into memory. Kafka's library bounds repetitions alone, as this one does too (1,000)."""
EXPRESSION_BYTES_MAX: Final = 32_767
"""As a record's key can hold it. Kafka finds out when it writes."""

_RE2J: Final = {
    "bad repetition operator": "invalid nested repetition operator",
    "invalid named capture group": "invalid named capture",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid repetition size": "invalid repeat count",
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "no argument for repetition operator": "missing argument to repetition operator",
    "trailing \\": "trailing backslash at end of expression",
    "unexpected )": "unexpected closing )",
}


@final
class _Pattern:
    __slots__ = ("_fullmatch",)

    def __init__(self, compiled: Any) -> None:
        self._fullmatch = compiled.fullmatch

    def fullmatch(self, text: str) -> bool:
        return self._fullmatch(text.encode()) is not None


def compile_pattern(expression: str) -> CompiledPattern:
    """An expression, ready. Raises PatternError."""
    import re2

    encoded = expression.encode(errors="surrogatepass")
    if len(encoded) > EXPRESSION_BYTES_MAX:
        raise PatternError(f"expression too long: {len(encoded)} bytes")
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = COMPILED_BYTES_MAX
    try:
        return _Pattern(re2.compile(encoded, options))
    except re2.error as error:
        raise PatternError(_in_kafkas_words(error.args[0].decode(errors="replace"))) from error


def _in_kafkas_words(reason: str) -> str:
    """RE2 says where, after a colon; RE2/J only what."""
    what = reason.partition(":")[0]
    return _RE2J.get(what, what)

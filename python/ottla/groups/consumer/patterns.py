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
        reason = error.args[0] if error.args else b""
        raise PatternError(reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)) from error

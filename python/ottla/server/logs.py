"""How log lines look. Nothing is configured for the process: each broker's logger is bound by whoever starts it.

structlog brings asyncio, and is a third of what a broker imports; many brokers never log a line. So it is imported when
the first line is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast, final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TextIO

    from structlog.typing import FilteringBoundLogger, Processor

__all__ = ["at_first_line", "logger", "processors"]


def logger(style: str, stream: TextIO, **bound: Any) -> FilteringBoundLogger:
    """A logger that writes ``text`` or ``json`` lines of level INFO and above, each with the ``bound`` values."""

    def make() -> FilteringBoundLogger:
        import logging

        import structlog

        made: FilteringBoundLogger = structlog.wrap_logger(
            structlog.PrintLogger(stream),
            processors=processors(style, colors=stream.isatty()),
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            **bound,
        )
        return made

    return at_first_line(make)


def at_first_line(make: Callable[[], FilteringBoundLogger]) -> FilteringBoundLogger:
    """A logger that is made when something is first asked of it."""
    return cast("FilteringBoundLogger", _AtFirstLine(make))


def processors(style: str, *, colors: bool) -> Sequence[Processor]:
    """The chain for ``text`` or ``json`` lines."""
    import structlog

    shared: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if style == "json":
        return [*shared, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    plain = structlog.dev.plain_traceback
    return [*shared, structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain)]


def _lost(*_: Any, **__: Any) -> None:
    """Takes a line that cannot be written."""


@final
class _AtFirstLine:
    """Stands for a logger until something is asked of it."""

    def __init__(self, make: Callable[[], FilteringBoundLogger]) -> None:
        self._make = make
        self._made: FilteringBoundLogger | None = None

    def __getattr__(self, name: str) -> Any:
        if self._made is None:
            try:
                self._made = self._make()
            except OSError:
                # No descriptors to import with: the line is lost, and not the broker.
                return _lost
        return getattr(self._made, name)

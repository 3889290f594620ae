"""How log lines look. Nothing is configured for the process: each broker's logger is bound by whoever starts it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from structlog.typing import Processor

__all__ = ["processors"]


def processors(style: str, *, colors: bool) -> Sequence[Processor]:
    """The chain for ``text`` or ``json`` lines."""
    shared: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if style == "json":
        return [*shared, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return [*shared, structlog.dev.ConsoleRenderer(colors=colors)]

"""Where an embedded broker's log lines go: to the standard library's logger ``ottla``, for the application to
configure."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ottla.server.logs import at_first_line

if TYPE_CHECKING:
    from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

__all__ = ["logger"]


def logger(node_id: int) -> FilteringBoundLogger:
    """The logger of one broker. Nothing is configured: unless the application does, warnings go to standard error."""

    def make() -> FilteringBoundLogger:
        import structlog

        made: FilteringBoundLogger = structlog.wrap_logger(
            logging.getLogger("ottla"),
            processors=[structlog.processors.format_exc_info, _line],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            node=node_id,
        )
        return made

    return at_first_line(make)


def _line(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    text = str(event.pop("event"))
    exception = event.pop("exception", None)
    line = " ".join([text, *(f"{key}={value}" for key, value in event.items())])
    return line if exception is None else f"{line}\n{exception}"

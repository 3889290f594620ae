"""Who sent a request, as far as groups remember it."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Client"]


class Client(NamedTuple):
    """The two facts that Kafka stores and shows of a member's client."""

    client_id: str
    """As the request's header says; empty when it says none."""
    host: str
    """The address as Kafka writes it, with a slash before: ``/127.0.0.1``."""

"""Which names a topic may have (Kafka's ``org.apache.kafka.common.internals.Topic``)."""

from __future__ import annotations

import re
from typing import Final

from ottla.metadata.image import Topics

__all__ = ["collision", "invalid_name"]

NAME_CHARACTERS_MAX: Final = 249
_LEGAL: Final = re.compile(r"[a-zA-Z0-9._-]+")


def invalid_name(name: str) -> str | None:
    """Why the name cannot be a topic's, in Kafka's words; None when it can."""
    if name == "":
        return "Topic name is invalid: the empty string is not allowed"
    if name in (".", ".."):
        return f"Topic name is invalid: '{name}' is not allowed"
    if len(name) > NAME_CHARACTERS_MAX:
        return (
            f"Topic name is invalid: the length of '{name}' is longer than the max allowed length {NAME_CHARACTERS_MAX}"
        )
    if _LEGAL.fullmatch(name) is None:
        legal = "ASCII alphanumerics, '.', '_' and '-'"
        return f"Topic name is invalid: '{name}' contains one or more characters other than {legal}"
    return None


def collision(topics: Topics, name: str) -> str | None:
    """An existing topic that differs from ``name`` only in dots against underscores, so that their metrics would be
    one."""
    if "." not in name and "_" not in name:
        return None
    others = topics.similar.get(name.replace(".", "_"), frozenset()) - {name}
    return min(others, default=None)

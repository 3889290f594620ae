"""What handlers of transaction APIs ask first: may the caller; and what they tell old clients instead of new codes."""

from __future__ import annotations

from typing import Final

from ottla.api.context import RequestContext
from ottla.errors import ErrorCode
from ottla.security.authorizer import Operation, Resource, ResourceType

__all__ = ["FENCED_SINCE", "fenced_as", "may"]

FENCED_SINCE: Final = 2
"""The version of AddPartitionsToTxn, AddOffsetsToTxn and EndTxn whose clients know PRODUCER_FENCED."""


def may(context: RequestContext, operation: Operation, transactional_id: str) -> bool:
    """May the caller do this to the transactional id?"""
    return context.authorize(operation, Resource(ResourceType.TRANSACTIONAL_ID, transactional_id))


def fenced_as(code: ErrorCode | int, version: int, since: int = FENCED_SINCE) -> ErrorCode:
    """The code, as clients of the request's version know it (KIP-588)."""
    if code == ErrorCode.PRODUCER_FENCED and version < since:
        return ErrorCode.INVALID_PRODUCER_EPOCH
    return code if isinstance(code, ErrorCode) else ErrorCode(code)

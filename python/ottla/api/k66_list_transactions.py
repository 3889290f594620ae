"""ListTransactions (66), v0-2: the transactional ids that this broker coordinates (KIP-664).

v1 those that are open for longer than so many milliseconds (KIP-994) · v2 those that an expression of RE2 matches
(KIP-1152): INVALID_REGULAR_EXPRESSION. Those without Describe are left out. States that there are none of are named in
the answer. The whole request fails while a partition is loaded (COORDINATOR_LOAD_IN_PROGRESS).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ottla.api.broker import Broker
from ottla.api.context import RequestContext
from ottla.api.transaction_access import may
from ottla.coordinator.machine import CoordinatorError
from ottla.coordinator.slices import Slices
from ottla.errors import ErrorCode
from ottla.groups.consumer.patterns import compile_pattern
from ottla.groups.consumer.regex import PatternError
from ottla.security.authorizer import Operation
from ottla.transactions.state import State, state_named
from ottla.wire.k66_list_transactions import ListTransactionsRequest, ListTransactionsResponse, TransactionState

__all__ = ["list_transactions"]

LOOKS_AT_ONCE: Final = 200
"""Between looks at the time."""


async def list_transactions(
    request: ListTransactionsRequest, context: RequestContext, broker: Broker
) -> ListTransactionsResponse:
    """See the module."""
    named = {name: state_named(name) for name in request.state_filters}
    states = frozenset(state for state in named.values() if state is not None)
    unknown = tuple(name for name, state in named.items() if state is None)
    wanted: frozenset[State] | None = states if request.state_filters else None
    matches: Callable[[str], bool] | None = None
    if request.transactional_id_pattern:
        try:
            matches = compile_pattern(request.transactional_id_pattern).fullmatch
        except PatternError:
            return ListTransactionsResponse(error_code=ErrorCode.INVALID_REGULAR_EXPRESSION)
    async with broker.transactions.lookers:
        try:
            listed: list[list[TransactionState]] = await broker.transactions.ask_all(
                lambda shard, outbox, reply: shard.list(
                    reply,
                    outbox,
                    states=wanted,
                    producer_ids=frozenset(request.producer_id_filters),
                    duration_ms=request.duration_filter,
                    matches=matches,
                )
            )
        except CoordinatorError as error:
            return ListTransactionsResponse(error_code=error.code)
        seen, slices = list[TransactionState](), Slices()
        for found in listed:
            for start in range(0, len(found), LOOKS_AT_ONCE):
                piece = found[start : start + LOOKS_AT_ONCE]
                seen += [each for each in piece if may(context, Operation.DESCRIBE, each.transactional_id)]
                await slices.pause()
    return ListTransactionsResponse(unknown_state_filters=unknown, transaction_states=tuple(seen))

"""From a request that the data plane passed up to the handler of its API, and back.

Prior art: Kafka's ``KafkaApis.handle``. Ours has no list of its own: ``api/table.py`` says who answers. A request is
decoded, handled, encoded and sent down; in a task of its own when its handler has to wait for more than one answer. The
data plane keeps the order per connection, since it sends up one request of a connection at a time.

Invariants: every request is answered or its connection closed; what a handler raises hurts its own connection alone,
and is logged with api, version, client and address.
"""

from __future__ import annotations

from inspect import iscoroutine
from typing import TYPE_CHECKING, Any, final

import trio

from ottla.api.context import RequestContext
from ottla.api.pending import Pending
from ottla.api.table import by_key
from ottla.coordinator.log import SentReply
from ottla.coordinator.machine import LEAVE
from ottla.wire.codec import WireError, decode_request, encode_response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from structlog.typing import FilteringBoundLogger

    from ottla.api.broker import Broker
    from ottla.api.table import Api
    from ottla.dataplane.plane import Plane, Request
    from ottla.security.authorizer import Authorizer, Principal

__all__ = ["Switchboard"]


@final
class Switchboard:
    """Routes requests for one broker. ``route`` is called by the data plane's drain, within the nursery's life."""

    def __init__(
        self,
        plane: Plane,
        broker: Broker,
        authorizer: Authorizer,
        anonymous: Principal,
        log: FilteringBoundLogger,
        nursery: trio.Nursery,
    ) -> None:
        self._plane = plane
        self._broker = broker
        self._authorizer = authorizer
        self._anonymous = anonymous
        self._log = log
        self._nursery = nursery

    def route(self, request: Request) -> None:
        """Begins to handle a request; returns at once."""
        api = by_key.get(request.api_key)
        if api is None or api.handler is None:
            self._plane.refuse(request.request_id, f"nobody answers api {request.api_key}")
            return
        try:
            message = decode_request(request.api_key, request.api_version, request.body)
        except WireError as error:
            self._plane.refuse(request.request_id, f"bad {api.name} v{request.api_version} request: {error}")
            return
        except OSError as error:
            # The first request of an API imports its messages, and there may be no descriptor to do it with.
            self._plane.refuse(request.request_id, f"{api.name} cannot be read now: {error}")
            return
        context = RequestContext(
            request.api_key,
            request.api_version,
            request.client_id,
            request.listener,
            self._anonymous,
            request.peer_host,
            request.connection_id,
            *request.local,
            request.received_ms,
            self._authorizer,
            request.asks_leave,
        )
        try:
            answer: Any = api.handler(message, context, self._broker)
        except Exception as error:
            self._failed(api, request, error)
            return
        if isinstance(answer, Pending):
            answer.when_ready(
                lambda: self._send(api, request, answer.response, answer),
                lambda response: self._reply(request, response),
            )
        elif iscoroutine(answer):
            self._nursery.start_soon(self._serve, api, request, answer)
        else:
            self._send(api, request, lambda: answer)

    async def _serve(self, api: Api, request: Request, answer: Awaitable[object]) -> None:
        try:
            response = await answer
        except Exception as error:
            self._failed(api, request, error)
            return
        self._send(api, request, lambda: response)

    def _send(
        self, api: Api, request: Request, response: Callable[[], object], pending: Pending[Any] | None = None
    ) -> None:
        try:
            message = response()
            body = None if message is LEAVE else encode_response(message, request.api_version).body
        except Exception as error:
            self._failed(api, request, error)
            return
        if body is None:
            self._plane.leave(request.request_id)
            return
        offer = None if pending is None else pending.offer
        if offer is not None and offer.is_good:
            offer.hold(self._plane.reply_standing(request.request_id, body, offer.used_ms, offer.until_ms))
        else:
            self._plane.reply(request.request_id, body)

    @staticmethod
    def _reply(request: Request, response: object) -> SentReply | None:
        """Made before it may be sent; what has no bytes fails when it is to be sent."""
        try:
            return SentReply(request.request_id, encode_response(response, request.api_version).body)
        except WireError:
            return None

    def _failed(self, api: Api, request: Request, error: Exception) -> None:
        """Whatever it was, it must not take the broker down with it; the client sees its connection end."""
        self._log.error(
            "request failed",
            api=api.name,
            version=request.api_version,
            client=request.client_id,
            host=request.peer_host,
            exc_info=error,
        )
        self._plane.refuse(request.request_id, f"{api.name} failed: {type(error).__name__}: {error}")

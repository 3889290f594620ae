"""What comes before the body of every request and response, behind the frame's length.

Requests: v1 below an API's first flexible version, v2 from it on; v0 is gone. Responses: v0 below, v1 from it on, but
ApiVersions answers with v0 always, so that a client can read the answer before it knows what the broker speaks.
The client id is never compact, not even in v2.
"""

from __future__ import annotations

from ottla.wire.schema import Int16, Int32, String, message


@message(valid="1-2", flexible="2+", kind="header")
class RequestHeader:
    request_api_key: int = Int16("0+")
    request_api_version: int = Int16("0+")
    correlation_id: int = Int32("0+")
    client_id: str | None = String("1+", nullable="1+", flexible="none")


@message(valid="0-1", flexible="1+", kind="header")
class ResponseHeader:
    correlation_id: int = Int32("0+")

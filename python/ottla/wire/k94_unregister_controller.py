"""UnregisterController (94): remove the registration of a controller.

v0. Needs metadata.version 4.4-IV2 (33).
"""

from __future__ import annotations

from ottla.wire.schema import Int16, Int32, String, message


@message(api_key=94, valid="0", flexible="0+", listeners="broker,controller")
class UnregisterControllerRequest:
    controller_id: int = Int32("0+")


@message(api_key=94, valid="0", flexible="0+")
class UnregisterControllerResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", nullable="0+")

"""AllocateProducerIds (67): a broker gets a block of producer ids from the controller.

v0 (KIP-730). A block has a thousand.
"""

from __future__ import annotations

from ottla.wire.schema import Int16, Int32, Int64, message


@message(api_key=67, valid="0", flexible="0+", listeners="controller")
class AllocateProducerIdsRequest:
    broker_id: int = Int32("0+")
    broker_epoch: int = Int64("0+", default=-1)


@message(api_key=67, valid="0", flexible="0+")
class AllocateProducerIdsResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("0+")
    producer_id_start: int = Int64("0+")
    producer_id_len: int = Int32("0+")

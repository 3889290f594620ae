"""Producer ids: blocks of a thousand from the metadata log, handed out one by one.

Prior art: Kafka's ``ProducerIdControlManager`` (KIP-730) and ``RPCProducerIdManager``, which fetches the next block at
nine tenths of the one in use. Ours fetches it when the block is used up: the log is in this process, and one append in
a thousand is not felt. Invariant: an id is handed out only after the record that claims its block is committed; no id
is handed out twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol, final

import trio

from ottla.controller.decision import Decision, Refused
from ottla.errors import ErrorCode
from ottla.metadata.image import Image
from ottla.records.cluster_metadata import ProducerIdsRecord

__all__ = ["BLOCK_IDS", "ProducerIdSource", "ProducerIds", "allocate"]

BLOCK_IDS: Final = 1_000
PRODUCER_ID_MAX: Final = 2**63 - 1
RETRY_S: Final = 0.1
"""After the controller refused a block: for as long, nobody who cannot wait gets an id."""


def allocate(image: Image, broker_id: int, broker_epoch: int) -> Decision[range]:
    """The next block for a broker. Raises Refused when the broker's epoch is not current, or there are no ids left."""
    broker = image.brokers.get(broker_id)
    if broker is None or broker.broker_epoch != broker_epoch:
        raise Refused(ErrorCode.STALE_BROKER_EPOCH)
    first = image.next_producer_id
    if first > PRODUCER_ID_MAX - BLOCK_IDS:
        raise Refused(ErrorCode.UNKNOWN_SERVER_ERROR, "Exhausted all producerIds as the next block's end producerId")
    block = range(first, first + BLOCK_IDS)
    record = ProducerIdsRecord(broker_id=broker_id, broker_epoch=broker_epoch, next_producer_id=block.stop)
    return Decision([record], block)


class ProducerIdSource(Protocol):
    """Where InitProducerId gets its ids."""

    async def next(self) -> int:
        """A producer id that nobody had before."""

    async def ready(self) -> None:
        """Returns when ``take`` has one; whoever calls it next, before anybody else runs, gets it."""

    def take(self) -> int | None:
        """A producer id that nobody had before; None when the block in hand is used up: the next is fetched."""


@final
class ProducerIds:
    """Hands out the ids of one block after another."""

    def __init__(self, allocate_block: Callable[[], Awaitable[range]]) -> None:
        self._allocate_block = allocate_block
        self._block = range(0)
        self._lock = trio.Lock()
        self._wanted = trio.Event()

    async def run(self) -> None:
        """Fetches blocks for those who cannot wait for one (``take``), until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted = trio.Event()
            try:
                await self.ready()
            except Refused:
                # Whoever wants one asks again; there is nobody to tell.
                await trio.sleep(RETRY_S)

    async def next(self) -> int:
        """A producer id that nobody had before; waits for a commit once in a block."""
        await self.ready()
        return self._pop()

    async def ready(self) -> None:
        """See ``ProducerIdSource``."""
        while not self._block:
            async with self._lock:
                if not self._block:
                    self._block = await self._allocate_block()

    def take(self) -> int | None:
        """See ``ProducerIdSource``."""
        if self._block:
            return self._pop()
        self._wanted.set()
        return None

    def _pop(self) -> int:
        producer_id, self._block = self._block[0], self._block[1:]
        return producer_id

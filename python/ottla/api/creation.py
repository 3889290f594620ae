"""Topics that are created because somebody asked for them: ordinary ones, and the coordinators' own."""

from __future__ import annotations

from collections.abc import Iterable

import trio

from ottla.api.broker import Broker
from ottla.controller.decision import Refused
from ottla.controller.names import invalid_name
from ottla.errors import ErrorCode
from ottla.wire.k19_create_topics import CreatableTopic

__all__ = ["create_topics_asked_for"]


async def create_topics_asked_for(names: Iterable[str], broker: Broker) -> None:
    """Create what can be, and wait until it is led. Who came first does not matter; what was refused stays unknown."""
    wanted = [
        broker.settings.internal_topics.get(name) or CreatableTopic(name=name, num_partitions=-1, replication_factor=-1)
        for name in names
        if invalid_name(name) is None
    ]
    if not wanted:
        return
    with trio.move_on_after(broker.settings.auto_create_wait_ms / 1000):
        try:
            results, offsets = await broker.controller.create_topics(wanted, frozenset(), validate_only=False)
        except Refused:
            return
        if any(result.error_code == ErrorCode.TOPIC_ALREADY_EXISTS for result in results):
            # Somebody else is just creating it: where in the log is not known.
            offsets = range(offsets.stop)
        await broker.metadata.wait_served(offsets)

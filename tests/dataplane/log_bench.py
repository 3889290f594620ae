"""Logs of coordinators under test: the model that coordinators' own tests use, and an engine, each with whoever says
who leads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest
import trio

from ottla.config.load import EMBEDDED
from ottla.config.topic import topic_settings
from ottla.config.values import BrokerConfig
from ottla.coordinator.log import CoordinatorLog, CoordinatorLogs, Intake, LoadedRecord, LogError, LogRecord
from ottla.dataplane.coordinator_log import PlaneCoordinatorLogs
from ottla.dataplane.plane import Callbacks, Plane
from ottla.dataplane.views import engine_settings
from ottla.errors import ErrorCode
from ottla.ids import ZERO_UUID
from ottla.metadata.view import LeadPartition, StopPartition
from tests.support.coordinator_log import MemoryLogs
from tests.support.engine import engine

TOPIC = bytes(range(16))
TIMEOUT_MS = 30_000


class Bench(Protocol):
    """Logs, and whoever says who leads."""

    @property
    def logs(self) -> CoordinatorLogs: ...

    async def lead(self, leader_epoch: int) -> None: ...


@dataclass
class Memory:
    logs: MemoryLogs

    async def lead(self, leader_epoch: int) -> None:
        self.logs.partition(TOPIC, 0).leader_epoch = leader_epoch


@dataclass
class Engine:
    logs: PlaneCoordinatorLogs
    plane: Plane
    partition_epoch: int = 0

    async def lead(self, leader_epoch: int, *, isr: tuple[int, ...] = (1,), **overrides: str) -> None:
        self.partition_epoch += 1
        epochs = (leader_epoch, self.partition_epoch)
        lead = LeadPartition(TOPIC, "__consumer_offsets", 0, *epochs, (1, 2), isr, ZERO_UUID)
        texts = {"cleanup.policy": "compact", **{name.replace("_", "."): text for name, text in overrides.items()}}
        settings = topic_settings(BrokerConfig(dict(EMBEDDED)), texts)
        ((_, _, _, error),) = await self.plane.begin_lead([lead], {TOPIC: engine_settings(settings, 1_000)})()
        assert error is None

    async def stop(self) -> None:
        for wait in self.plane.begin_stop([StopPartition(TOPIC, "__consumer_offsets", 0, delete=False)]):
            await wait()


@asynccontextmanager
async def memory(_tmp_path: Path) -> AsyncIterator[Memory]:
    yield Memory(MemoryLogs())


@asynccontextmanager
async def on_engine(data_dir: Path, *, crashes: bool = False) -> AsyncIterator[Engine]:
    with engine(data_dir) as serving:
        plane = serving.plane
        async with trio.open_nursery() as nursery:
            nursery.start_soon(plane.run, Callbacks(lambda _: None, lambda _: None, lambda _: None, lambda: None))
            yield Engine(PlaneCoordinatorLogs(plane), plane)
            nursery.cancel_scope.cancel()
        if crashes:
            plane.abandon()


Open = Callable[[Path], AbstractAsyncContextManager[Bench]]
each = pytest.mark.parametrize("opened", [memory, on_engine])


def played(main: Callable[[], Awaitable[None]]) -> None:
    """In bounded time."""

    async def bounded() -> None:
        with trio.fail_after(60):
            await main()

    trio.run(bounded)


def both(main: Callable[[Bench], Awaitable[None]]) -> Callable[[Open, Path], None]:
    """A test of the model and of an engine."""

    @each
    def test(opened: Open, tmp_path: Path) -> None:
        async def opens() -> None:
            async with opened(tmp_path) as bench:
                await main(bench)

        played(opens)

    test.__name__, test.__doc__ = main.__name__, main.__doc__
    return test


def with_engine(main: Callable[[Engine], Awaitable[None]]) -> Callable[[Path], None]:
    """A test of what only an engine can do."""

    def test(tmp_path: Path) -> None:
        async def opens() -> None:
            async with on_engine(tmp_path) as bench:
                await main(bench)

        played(opens)

    test.__name__, test.__doc__ = main.__name__, main.__doc__
    return test


def row(key: str, value: str | None, timestamp_ms: int = 1_700_000_000_000) -> LogRecord:
    return LogRecord(key.encode(), None if value is None else value.encode(), timestamp_ms)


async def load(log: CoordinatorLog, intake: Intake | None = None) -> list[LoadedRecord]:
    loading = log.load(intake)
    found: list[LoadedRecord] = []
    try:
        while rows := await loading.next():
            found += rows
        assert list(await loading.next()) == [], "the end stays the end"
    finally:
        loading.close()
    return found


async def code_of(attempt: Callable[[], Awaitable[object]]) -> ErrorCode:
    with pytest.raises(LogError) as raised:
        await attempt()
    return raised.value.code


async def expect(attempt: Callable[[], Awaitable[object]], code: ErrorCode) -> None:
    assert await code_of(attempt) == code

"""An engine alone, on an empty directory, and connections to it: no metadata, no loop."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

from ottla.api.table import TABLE
from ottla.clock import SystemClock
from ottla.dataplane.plane import EngineOptions, Periods, Plane


@final
@dataclass(slots=True, frozen=True)
class ServingEngine:
    """The engine, and the socket that its clients connect to."""

    plane: Plane
    listening: socket.socket

    def connect(self, before: Callable[[socket.socket], None] = lambda _: None) -> socket.socket:
        """A client whose connection the engine has adopted, after the client did what ``before`` says."""
        client = socket.create_connection(self.listening.getsockname(), timeout=30)
        before(client)
        accepted, _ = self.listening.accept()
        self.plane.adopt(accepted, "PLAINTEXT")
        return client


@contextlib.contextmanager
def engine(data_dir: Path) -> Iterator[ServingEngine]:
    """Serves the table of APIs with one network thread."""
    plane = Plane(
        EngineOptions(
            data_dir=data_dir,
            node_id=1,
            apis=TABLE,
            network_threads=1,
            frame_bytes_max=100_000,
            idle_ms_max=600_000,
            fetch_bytes_max=1_000_000,
            fetch_sessions_max=10,
            periods=Periods(),
        ),
        SystemClock(),
    )
    try:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            yield ServingEngine(plane, listening)
    finally:
        plane.close(-1)

"""A disk that takes no more of the metadata log: the broker says so and ends, since nothing can be decided any more."""

from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import Final

import pytest

from tests.support.broker_process import BrokerProcess

END_TIMEOUT_S: Final = 60.0


def test_a_failed_metadata_log_ends_the_broker(tmp_path: Path) -> None:
    if not hasattr(resource, "prlimit"):
        pytest.skip("only Linux changes the limits of another process")
    with BrokerProcess(tmp_path / "data") as broker:
        broker.start()
        (segment,) = (broker.data_dir / "__cluster_metadata-0").glob("*.log")
        # From here on no file grows beyond what this one has, the broker's short log apart.
        size = segment.stat().st_size
        assert broker.log_path.stat().st_size < size // 2
        resource.prlimit(broker.pid, resource.RLIMIT_FSIZE, (size, size))
        deadline = time.monotonic() + END_TIMEOUT_S
        while (code := broker.exit_code()) is None:
            assert time.monotonic() < deadline, broker.log_tail()
            time.sleep(0.02)
        assert code == 1, broker.log_tail()
        said = broker.log().splitlines()[-1]
        assert "cannot append to the metadata log" in said, broker.log_tail()
        assert "Traceback" not in broker.log()

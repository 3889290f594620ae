"""A member of a group with franz-go: a process of its own, which says what it reads."""

import base64
import json
import queue
import subprocess
import threading
from pathlib import Path
from typing import Any, final

import pytest
from benchmarks.toolchain import go_program

from compat_support.client import WAIT_S
from compat_support.groups import HEARTBEAT_S, SESSION_S, Delivered, Member, MemberOptions


@final
class FranzGoMember:
    def __init__(self, program: Path, bootstrap: str, options: MemberOptions) -> None:
        flags = {
            "bootstrap": bootstrap,
            "topic": ",".join(options.topics),
            "group": options.group,
            "instance": options.instance or "",
            "auto-commit": str(options.auto_commit).lower(),
            "session": f"{SESSION_S}s",
            "heartbeat": f"{HEARTBEAT_S}s",
        }
        argv = [str(program), "member", *(f"-{name}={value}" for name, value in flags.items())]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._assigned: set[int] = set()
        self._records: queue.Queue[Delivered] = queue.Queue()
        self._answers: queue.Queue[Any] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line) or {}
            if "record" in said:
                record = said["record"]
                value = base64.b64decode(record["value"])
                self._records.put(Delivered(record["topic"], record["partition"], record["offset"], value))
            elif "assigned" in said:
                self._assigned = set(said["assigned"])
            elif "done" in said:
                self._answers.put(said["done"])

    def poll(self, timeout_s: float) -> list[Delivered]:
        assert self._process.poll() is None, f"the member ended with {self._process.returncode}"
        out: list[Delivered] = []
        try:
            out.append(self._records.get(timeout=timeout_s))
            while True:
                out.append(self._records.get_nowait())
        except queue.Empty:
            return out

    def assigned(self) -> set[int]:
        return self._assigned

    def _order(self, words: str) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{words}\n")
        self._process.stdin.flush()
        return self._answers.get(timeout=WAIT_S)

    def commit(self) -> None:
        self._order("commit")

    def committed(self, partition: int) -> int | None:
        found: int | None = self._order(f"committed {partition}")
        return found

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        status = self._process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        assert status == 0, f"the member ended with {status}"


def join(bootstrap: str, options: MemberOptions) -> Member:
    if options.protocol != "classic":
        pytest.skip("franz-go's new protocol is behind a switch")
    return FranzGoMember(go_program(Path(__file__).parent, "franzgo"), bootstrap, options)

"""A member of a group with franz-go: a process of the Go program beside this file, which is asked line by line."""

import functools
import subprocess
from pathlib import Path

from benchmarks.toolchain import go_program

from compat_support.client import WAIT_S
from compat_support.groups import HEARTBEAT_S, SESSION_S, Member, MemberOptions
from compat_support.remote import RemoteMember


def join(bootstrap: str, options: MemberOptions) -> Member:
    settings: dict[str, str | int] = {
        "bootstrap.servers": bootstrap,
        "group.id": options.group,
        "group.protocol": options.protocol,
        "auto.offset.reset": options.start,
        "enable.auto.commit": str(options.auto_commit).lower(),
    }
    if options.protocol == "classic":
        settings["session.timeout.ms"] = int(SESSION_S * 1000)
        settings["heartbeat.interval.ms"] = int(HEARTBEAT_S * 1000)
        settings["partition.assignment.strategy"] = "cooperative-sticky" if options.cooperative else "range"
    if options.instance is not None:
        settings["group.instance.id"] = options.instance
    process = subprocess.Popen([str(program()), "member"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None

    def end() -> None:
        try:
            process.communicate(timeout=WAIT_S)
        finally:
            process.kill()

    return RemoteMember(process.stdin, process.stdout, options, settings, end)


def prepare() -> None:
    program()


@functools.cache
def program() -> Path:
    return go_program(Path(__file__).parent, "franzgo")

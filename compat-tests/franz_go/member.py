"""A member of a group with franz-go: a process of the Go program beside this file, which is asked line by line."""

import functools
from pathlib import Path

from benchmarks.toolchain import go_program

from compat_support.groups import HEARTBEAT_S, SESSION_S, Member, MemberOptions
from compat_support.lines import Lines
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
    return RemoteMember(Lines.of_program([str(program()), "member"]), options, settings)


def prepare() -> None:
    program()


@functools.cache
def program() -> Path:
    return go_program(Path(__file__).parent, "franzgo")

"""A member of a group with Kafka's own consumer, of its Java clients. One Java machine has all members of a run."""

import atexit
import functools
from pathlib import Path

from benchmarks.peers import kafka

from compat_support.groups import HEARTBEAT_S, SESSION_S, Member, MemberOptions
from compat_support.java import start
from compat_support.lines import Lines
from compat_support.remote import RemoteMember

COOPERATIVE = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"


def join(bootstrap: str, options: MemberOptions) -> Member:
    settings: dict[str, str | int] = {
        "bootstrap.servers": bootstrap,
        "group.id": options.group,
        "group.protocol": options.protocol,
        "auto.offset.reset": options.start,
        "enable.auto.commit": str(options.auto_commit).lower(),
        "metadata.max.age.ms": 1000,
    }
    if options.protocol == "classic":
        settings["session.timeout.ms"] = int(SESSION_S * 1000)
        settings["heartbeat.interval.ms"] = int(HEARTBEAT_S * 1000)
        if options.cooperative:
            settings["partition.assignment.strategy"] = COOPERATIVE
    if options.instance is not None:
        settings["group.instance.id"] = options.instance
    return RemoteMember(Lines.of_port(members_port()), options, settings)


def prepare() -> None:
    members_port()


@functools.cache
def members_port() -> int:
    """Where the Java machine listens; it ends with this process. Raises Skipped without a JDK or Maven."""
    process = start(Path(__file__).with_name("Members.java"), kafka.server_jars())
    assert process.stdout is not None
    atexit.register(process.kill)
    return int(process.stdout.readline())

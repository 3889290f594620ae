"""`ottla groups reset`: what is asked of whom, in which order. The plan itself is `reset`'s.

Invariants: nothing is committed before the plan is complete; a group with members is refused, before the commit and by
the coordinator, when one has come meanwhile.
"""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from pathlib import Path

from ottla.cli import output
from ottla.cli.client import Client, Cluster, error_name, refusal
from ottla.cli.coordination import members, reset
from ottla.cli.coordination.coordinator import Groups, TopicPartition
from ottla.cli.coordination.positions import EARLIEST, LATEST, Answers, list_offsets
from ottla.cli.errors import DONE, FAILED, CommandError, UsageError
from ottla.errors import ErrorCode

__all__ = ["add_target", "run"]


def add_target(parser: ArgumentParser) -> None:
    targets = parser.add_mutually_exclusive_group(required=True)
    targets.add_argument("--to-earliest", action="store_true", help="to the first records there are")
    targets.add_argument("--to-latest", action="store_true", help="behind the last")
    targets.add_argument("--to-offset", type=int, metavar="N", help="to this offset")
    targets.add_argument(
        "--to-datetime",
        metavar="TIME",
        help="to the first record from this time on (ISO 8601, of UTC where it does not say; or ms since 1970)",
    )
    targets.add_argument("--by-duration", metavar="AGO", help="to the first record from so long ago on (1h30m, PT1H)")
    targets.add_argument("--shift-by", type=int, metavar="N", help="by so many records; negative for back")
    targets.add_argument("--from-file", metavar="FILE", help="to what a file says; - for standard input")


def run(client: Client, groups: Groups, args: Namespace) -> int:
    """The exit code. Raises `UsageError`, `CommandError`, `UnreachableError`."""
    target = _target(args)
    topics = reset.parse_topics(args.topic)
    group = members.describe(groups, args.group)
    committed = groups.committed(args.group)
    asked = set(topics) or {where.topic for where in committed}
    if isinstance(target, reset.FromFile):
        asked = {where.topic for where in target.offsets}
    cluster = client.cluster(asked)
    partitions = _partitions(target, topics, committed, cluster)
    if not partitions:
        raise CommandError(f"group {args.group} has committed nothing", "say of which topics: --topic TOPIC")
    starts, ends = (_required(list_offsets(client, cluster, partitions, at)) for at in (EARLIEST, LATEST))
    at_time: dict[TopicPartition, int] = {}
    if isinstance(target, reset.Time):
        at_time = _required(list_offsets(client, cluster, partitions, target.timestamp_ms))
    moves = reset.plan(target, partitions, committed, starts, ends, at_time)
    has_members = group is not None and bool(group.members)
    if args.execute and has_members:
        raise members.has_members(args.group)
    done: dict[TopicPartition, int] = {}
    if args.execute:
        done = groups.commit(args.group, {move.where: move.after for move in moves}, cluster.topics)
    if args.json:
        for move in moves:
            failed = done.get(move.where, ErrorCode.NONE)
            more = {"error": error_name(failed)} if failed else {}
            sys.stdout.write(output.json_line(reset.facts(args.group, move) | {"executed": args.execute} | more))
    else:
        sys.stdout.write(reset.table(moves))
    return _ended(args, done, has_members)


def _ended(args: Namespace, done: dict[TopicPartition, int], has_members: bool) -> int:
    if not args.execute:
        warning = f"; --execute will be refused as long as group {args.group} has members" if has_members else ""
        sys.stderr.write(f"nothing was changed: --execute does it{warning}\n")
        return DONE
    failed = {where: code for where, code in done.items() if code != ErrorCode.NONE}
    if ErrorCode.UNKNOWN_MEMBER_ID in failed.values():
        # One has come since we looked.
        raise members.has_members(args.group)
    for where, code in failed.items():
        sys.stderr.write(f"ottla groups reset: {refusal(str(where), code)}\n")
    return FAILED if failed else DONE


def _partitions(
    target: reset.Target, topics: dict[str, set[int] | None], committed: Iterable[TopicPartition], cluster: Cluster
) -> list[TopicPartition]:
    """What is to be moved: what the file says, else the topics that were named, else what was committed."""
    if isinstance(target, reset.FromFile):
        named = target.offsets if not topics else [where for where in target.offsets if reset.is_of(where, topics)]
        return sorted(named)
    if not topics:
        return sorted(committed)
    found: list[TopicPartition] = []
    for name, indexes in topics.items():
        topic = cluster.topics.get(name)
        if topic is None or topic.error_code != ErrorCode.NONE:
            raise refusal(f"topic {name}", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION if topic is None else topic.error_code)
        every = {partition.partition_index for partition in topic.partitions}
        if missing := sorted((indexes or set()) - every):
            raise UsageError(f"{name} has no partition {missing[0]}: it has {len(every)}, counted from 0")
        found += (TopicPartition(name, index) for index in indexes or every)
    return sorted(found)


def _target(args: Namespace) -> reset.Target:
    if args.to_offset is not None:
        return reset.To(args.to_offset)
    if args.to_datetime is not None:
        return reset.Time(reset.parse_moment_ms(args.to_datetime))
    if args.by_duration is not None:
        return reset.Time(round(time.time() * 1000) - reset.parse_duration_ms(args.by_duration))
    if args.shift_by is not None:
        return reset.Shift(args.shift_by)
    if args.from_file is not None:
        return reset.FromFile(reset.parse_file(_read(args.from_file), args.from_file, args.group))
    return reset.Earliest() if args.to_earliest else reset.Latest()


def _read(name: str) -> str:
    try:
        if name == "-":
            with open(sys.stdin.fileno(), encoding="utf-8", closefd=False) as source:
                return source.read()
        return Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {name}: {error}") from None


def _required(answers: Answers) -> dict[TopicPartition, int]:
    for where, code in answers.refused.items():
        raise refusal(str(where), code)
    return answers.found

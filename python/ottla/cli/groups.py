"""List, describe, delete groups; show what they have committed and how far behind they are; have them go on elsewhere.

Exit codes: 0 done; 1 there is no such group, a broker refused, or a group is further behind than --max-records or
--max-seconds allow; 2 the command line is wrong; 3 no broker answered in time.

`reset` shows its plan and does nothing, until --execute is given. A file for --from-file has lines
TOPIC,PARTITION,OFFSET, or GROUP,TOPIC,PARTITION,OFFSET, as Kafka's tool exports them; or it is what
`ottla groups offsets GROUP --json` has written. Lines of other groups are passed over.
"""

from __future__ import annotations

import io
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Final

from ottla.cli import output
from ottla.cli.client import Client, add_client_arguments, client_of, error_name, refusal
from ottla.cli.coordination import lag, members, moving, reset
from ottla.cli.coordination.coordinator import Groups
from ottla.cli.coordination.positions import LATEST, list_offsets, look_ahead
from ottla.cli.errors import DONE, FAILED, CommandError, UsageError
from ottla.errors import ErrorCode

_CLEAR: Final = "\x1b[H\x1b[2J"
_WATCH_S: Final = 2.0
_STATES: Final = (
    "PreparingRebalance",
    "CompletingRebalance",
    "Assigning",
    "Reconciling",
    "NotReady",
    "Stable",
    "Empty",
    "Dead",
)
_TYPES: Final = ("classic", "consumer", "share", "streams")


def add_arguments(parser: ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    listing = verbs.add_parser("list", help="list groups")
    listing.add_argument(
        "--state", action="append", default=[], type=_one_of(_STATES), metavar="STATE", help="stable, ...; repeatable"
    )
    listing.add_argument(
        "--type", action="append", default=[], type=_one_of(_TYPES), metavar="TYPE", help="classic, ...; repeatable"
    )
    describe = verbs.add_parser("describe", help="state and members of groups")
    offsets = verbs.add_parser("offsets", help="what groups have committed")
    behind = verbs.add_parser("lag", help="how far groups are behind, in records and in seconds")
    behind.add_argument("--max-records", type=int, metavar="N", help="exit 1 when a group is further behind")
    behind.add_argument("--max-seconds", type=float, metavar="S", help="exit 1 when a group is further behind")
    for verb in (describe, offsets, behind):
        verb.add_argument("groups", nargs="*", metavar="GROUP", help="which (all)")
    moves = verbs.add_parser("reset", help="have a group without members go on elsewhere")
    moves.add_argument("group", metavar="GROUP")
    moving.add_target(moves)
    moves.add_argument("--execute", action="store_true", help="do it, instead of showing what would be done")
    delete = verbs.add_parser("delete", help="delete groups, or some of what they have committed")
    delete.add_argument("groups", nargs="+", metavar="GROUP")
    delete.add_argument("--if-exists", action="store_true", help="a group that does not exist is fine")
    for verb in (moves, delete):
        verb.add_argument(
            "--topic", action="append", default=[], metavar="TOPIC[:P,...]", help="only those; repeatable"
        )
    for verb in (listing, describe, offsets, behind):
        verb.add_argument(
            "--watch",
            type=float,
            nargs="?",
            const=_WATCH_S,
            metavar="SECONDS",
            help=f"again and again, until Ctrl-C ({_WATCH_S:g})",
        )
    for verb in (listing, describe, offsets, behind, moves, delete):
        verb.add_argument("--json", action="store_true", help="one JSON object per thing and line")
        add_client_arguments(verb)


def _one_of(names: tuple[str, ...]) -> Callable[[str], str]:
    """Of an argument: the name that is meant, however its letters are written."""

    def parse(text: str) -> str:
        for name in names:
            if name.lower() == text.lower():
                return name
        raise ArgumentTypeError(f"{text!r} is none of {', '.join(names)}")

    return parse


def run(args: Namespace) -> int:
    """Blocking. Raises `CommandError`."""
    watch = getattr(args, "watch", None)
    if watch is not None and not watch > 0:
        raise UsageError("--watch must be more than 0")
    with client_of(args) as client:
        if watch is None:
            return int(_VERBS[args.verb](client, Groups(client), args))
        while True:
            _refresh(client, args)
            time.sleep(watch)


def _refresh(client: Client, args: Namespace) -> None:
    """One turn of --watch. What was shown stays until there is something new in its place."""
    buffer = io.StringIO()
    with redirect_stdout(buffer):
        _VERBS[args.verb](client, Groups(client), args)
    if not args.json:
        sys.stdout.write(_CLEAR if sys.stdout.isatty() else f"{output.timestamp(round(time.time() * 1000))}\n")
    sys.stdout.write(buffer.getvalue())
    sys.stdout.flush()


def _list(_: Client, groups: Groups, args: Namespace) -> int:
    found = groups.listed(args.state, args.type)
    if args.json:
        for group in found:
            facts = {
                "group": group.group_id,
                "type": group.group_type or None,
                "state": group.group_state or None,
                "protocol": group.protocol_type or None,
            }
            sys.stdout.write(output.json_line(facts))
    elif found:
        rows = [
            (group.group_id, group.group_type or None, group.group_state or None, group.protocol_type or None)
            for group in found
        ]
        sys.stdout.write(output.table(("GROUP", "TYPE", "STATE", "PROTOCOL"), rows))
    return DONE


def _describe(_: Client, groups: Groups, args: Namespace) -> int:
    code, separator = DONE, ""
    for name in _named(groups, args):
        group = members.describe(groups, name) or _other(groups, name)
        if group is None:
            code = _missing(args, name)
        elif args.json:
            sys.stdout.write(output.json_line(members.facts(group)))
        else:
            sys.stdout.write(separator + members.shown(group))
            separator = "\n"
    return code


def _other(groups: Groups, name: str) -> members.Group | None:
    """A group of a type that nobody but its own tools can describe: what the list says of it."""
    for listed in groups.listed():
        if listed.group_id == name:
            return members.of_other_type(groups, listed)
    return None


def _offsets(_: Client, groups: Groups, args: Namespace) -> int:
    rows: list[tuple[object, ...]] = []
    code = DONE
    for name in _named(groups, args, committing=True):
        committed = groups.committed(name)
        if not committed and members.describe(groups, name) is None:
            code = _missing(args, name)
        for (topic, partition), at in committed.items():
            epoch = at.leader_epoch if at.leader_epoch >= 0 else None
            rows.append((name, topic, partition, at.offset, epoch, at.metadata or None))
    if args.json:
        for row in rows:
            keys = ("group", "topic", "partition", "offset", "leader_epoch", "metadata")
            sys.stdout.write(output.json_line(dict(zip(keys, row, strict=True))))
    elif rows:
        sys.stdout.write(output.table(("GROUP", "TOPIC", "PARTITION", "OFFSET", "EPOCH", "METADATA"), rows))
    return code


def _lag(client: Client, groups: Groups, args: Namespace) -> int:
    code, found, totals, excesses = DONE, list[lag.Lag](), list[str](), list[str]()
    for name in _named(groups, args, committing=True):
        committed = groups.committed(name)
        group = members.describe(groups, name)
        if not committed and group is None:
            code = _missing(args, name)
            continue
        assigned = {where for member in group.members or () for where in member.assigned} if group else set()
        partitions = assigned | set(committed)
        cluster = client.cluster({where.topic for where in partitions})
        ends = list_offsets(client, cluster, partitions, LATEST).found
        aheads = look_ahead(client, cluster, lag.to_ask_times_of(committed, ends), ends)
        of_group = lag.lags(name, partitions, committed, ends, aheads, round(time.time() * 1000))
        found += of_group
        total = lag.total(of_group)
        totals.append(lag.summary(name, total))
        if (excess := lag.excess(total, args.max_records, args.max_seconds)) is not None:
            excesses.append(f"ottla groups lag: {name} {excess}\n")
            code = FAILED
    if args.json:
        sys.stdout.writelines(output.json_line(lag.facts(each)) for each in found)
    elif found:
        sys.stdout.write(output.table(lag.HEADINGS, lag.rows(found)) + "\n" + "".join(totals))
    sys.stdout.flush()
    sys.stderr.writelines(excesses)
    return code


def _delete(_: Client, groups: Groups, args: Namespace) -> int:
    topics = reset.parse_topics(args.topic)
    code = DONE
    for name in dict.fromkeys(args.groups):
        code = max(code, _forget(groups, args, name, topics) if topics else _delete_one(groups, args, name))
    return code


def _delete_one(groups: Groups, args: Namespace, name: str) -> int:
    result = groups.delete(name)
    error = result.error_code
    if args.json:
        failed = {"error": error_name(error), "message": result.error_message} if error != ErrorCode.NONE else {}
        sys.stdout.write(output.json_line({"group": name, "deleted": error == ErrorCode.NONE} | failed))
    elif error == ErrorCode.NONE:
        sys.stdout.write(f"deleted {name}\n")
    if error == ErrorCode.NONE or (args.if_exists and error == ErrorCode.GROUP_ID_NOT_FOUND):
        return DONE
    if error == ErrorCode.GROUP_ID_NOT_FOUND:
        return _missing(args, name)
    non_empty = error == ErrorCode.NON_EMPTY_GROUP
    return _said(members.has_members(name) if non_empty else refusal(f"group {name}", error, result.error_message))


def _forget(groups: Groups, args: Namespace, name: str, topics: dict[str, set[int] | None]) -> int:
    """Deletes what the group has committed of some topics."""
    committed = groups.committed(name)
    if not committed and members.describe(groups, name) is None:
        return DONE if args.if_exists else _missing(args, name)
    code = DONE
    chosen = [where for where in committed if reset.is_of(where, topics)]
    if not chosen:
        sys.stderr.write(f"ottla groups delete: {name} has committed nothing of these topics\n")
        return DONE
    for where, error in groups.forget(name, chosen).items():
        if args.json:
            failed = {"error": error_name(error)} if error != ErrorCode.NONE else {}
            facts = {"group": name, "topic": where.topic, "partition": where.partition}
            sys.stdout.write(output.json_line(facts | {"deleted": error == ErrorCode.NONE} | failed))
        elif error == ErrorCode.NONE:
            sys.stdout.write(f"deleted {name} {where}\n")
        if error != ErrorCode.NONE:
            code = _said(refusal(f"{name} {where}", error))
    return code


def _named(groups: Groups, args: Namespace, *, committing: bool = False) -> list[str]:
    """Those that the command line names, or all; or all that commit offsets, as share groups do not."""
    if args.groups:
        return list(dict.fromkeys(args.groups))
    return [group.group_id for group in groups.listed() if not (committing and group.group_type == "share")]


def _missing(args: Namespace, name: str) -> int:
    sys.stderr.write(f"ottla groups {args.verb}: there is no group {name}\n  ottla groups list shows what there is\n")
    return FAILED


def _said(error: CommandError) -> int:
    """One of several could not be deleted."""
    sys.stderr.write(f"ottla groups delete: {error}\n")
    return FAILED


_VERBS: Final = {
    "list": _list,
    "describe": _describe,
    "offsets": _offsets,
    "lag": _lag,
    "reset": moving.run,
    "delete": _delete,
}

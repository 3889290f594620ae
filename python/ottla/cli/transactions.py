"""List and describe transactions; end one that is stuck; find those that nothing will ever end.

Exit codes: 0 done; 1 there is no such transactional id, a broker refused, or find-hanging found something; 2 the
command line is wrong; 3 no broker answered in time.

`abort ID` aborts what is open under a transactional id and shuts out its producer, as a new one with the same id would.
`abort --topic TOPIC:PARTITION` is for a transaction that hangs: the partition has it open, and no coordinator knows of
it (`find-hanging`). One that a coordinator knows is refused: that one ends by `abort ID`, or by itself.
"""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, Namespace
from typing import Final

from ottla.cli import output
from ottla.cli.client import Client, Cluster, add_client_arguments, client_of
from ottla.cli.coordination.coordinator import TopicPartition
from ottla.cli.coordination.positions import LATEST, list_offsets
from ottla.cli.coordination.reset import parse_topics
from ottla.cli.coordination.transactions import OPEN_STATES, Open, Transactions, partitions_of
from ottla.cli.errors import DONE, FAILED, CommandError, UsageError
from ottla.wire.k65_describe_transactions import TransactionState

_STATES: Final = ("Empty", *OPEN_STATES, "CompleteCommit", "CompleteAbort")
_MAX_TIMEOUT_S: Final = 900.0
"""``transaction.max.timeout.ms``: for as long, what is open may be right."""


def add_arguments(parser: ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    listing = verbs.add_parser("list", help="transactional ids, and since when their transactions are open")
    listing.add_argument(
        "--state", action="append", default=[], choices=_STATES, metavar="STATE", help="Ongoing, ...; repeatable"
    )
    listing.add_argument("--pattern", metavar="EXPRESSION", help="ids that match, in RE2's syntax")
    listing.add_argument("--longer-than", type=float, metavar="SECONDS", help="only what is open for longer")
    describe = verbs.add_parser("describe", help="state of transactional ids, and who waits for them where")
    describe.add_argument("ids", nargs="*", metavar="ID", help="which (all that are open)")
    abort = verbs.add_parser("abort", help="end a transaction that is stuck")
    abort.add_argument("ids", nargs="*", metavar="ID", help="whose producer is to be shut out")
    abort.add_argument("--topic", metavar="TOPIC:PARTITION", help="where one hangs")
    abort.add_argument("--producer-id", type=int, metavar="N", help="which, if several hang there")
    hanging = verbs.add_parser("find-hanging", help="transactions that nothing will end; exit 1 when there are any")
    hanging.add_argument(
        "--topic", action="append", default=[], metavar="TOPIC[:P,...]", help="only there (everywhere); repeatable"
    )
    for verb in (abort, hanging):
        verb.add_argument(
            "--max-timeout",
            type=float,
            default=_MAX_TIMEOUT_S,
            metavar="SECONDS",
            help=f"the longest that one may be open ({_MAX_TIMEOUT_S:g})",
        )
    for verb in (listing, describe, abort, hanging):
        verb.add_argument("--json", action="store_true", help="one JSON object per thing and line")
        add_client_arguments(verb)


def run(args: Namespace) -> int:
    """Blocking. Raises `CommandError`."""
    with client_of(args) as client:
        return int(_VERBS[args.verb](client, Transactions(client), args))


# --- list -------------------------------------------------------------------------------------------------------------


def _list(_: Client, transactions: Transactions, args: Namespace) -> int:
    duration_ms = -1 if args.longer_than is None else round(args.longer_than * 1000)
    # Kafka counts what was never begun as older than anything.
    states = args.state or (OPEN_STATES if duration_ms >= 0 else ())
    now_ms = round(time.time() * 1000)
    rows = []
    for listed in transactions.listed(states, duration_ms=duration_ms, pattern=args.pattern):
        state = transactions.described(listed.transactional_id) if listed.state in OPEN_STATES else None
        facts = {
            "id": listed.transactional_id,
            "state": listed.state if state is None else state.transaction_state,
            "producer_id": listed.producer_id,
            "coordinator": listed.coordinator,
            "open_s": None if state is None else _open_s(state, now_ms),
            "timeout_s": None if state is None else state.transaction_timeout_ms / 1000,
            "partitions": None if state is None else len(partitions_of(state)),
        }
        rows.append(facts)
    if args.json:
        sys.stdout.writelines(map(output.json_line, rows))
    elif rows:
        headings = ("ID", "STATE", "PRODUCER", "COORDINATOR", "OPEN S", "TIMEOUT S", "PARTITIONS")
        sys.stdout.write(output.table(headings, [tuple(row.values()) for row in rows]))
    return DONE


# --- describe ---------------------------------------------------------------------------------------------------------


def _describe(client: Client, transactions: Transactions, args: Namespace) -> int:
    code, separator = DONE, ""
    ids = args.ids or [listed.transactional_id for listed in transactions.listed(OPEN_STATES)]
    for transactional_id in dict.fromkeys(ids):
        state = transactions.described(transactional_id)
        if state is None:
            code = _missing(args, transactional_id)
            continue
        waiting = _waiting(client, transactions, state)
        if args.json:
            sys.stdout.write(output.json_line(_facts(transactions, state, waiting)))
        else:
            sys.stdout.write(separator + _shown(transactions, state, waiting))
            separator = "\n"
    return code


def _waiting(
    client: Client, transactions: Transactions, state: TransactionState
) -> list[tuple[TopicPartition, int | None, int | None]]:
    """Each partition that has no marker yet: where the transaction begins there, and how many offsets are behind that,
    which nobody sees who reads what is committed."""
    partitions = partitions_of(state)
    if not partitions or state.transaction_state not in OPEN_STATES:
        return []
    cluster = client.cluster({where.topic for where in partitions})
    starts = {
        each.where: each.start_offset
        for each in transactions.open_on(cluster, partitions)
        if each.producer_id == state.producer_id
    }
    ends = list_offsets(client, cluster, partitions, LATEST).found
    return [
        (where, starts.get(where), ends[where] - starts[where] if where in starts and where in ends else None)
        for where in sorted(partitions)
    ]


def _facts(
    transactions: Transactions,
    state: TransactionState,
    waiting: list[tuple[TopicPartition, int | None, int | None]],
) -> dict[str, object]:
    return {
        "id": state.transactional_id,
        "state": state.transaction_state,
        "producer_id": state.producer_id,
        "producer_epoch": state.producer_epoch,
        "coordinator": transactions.coordinator(state.transactional_id),
        "timeout_ms": state.transaction_timeout_ms,
        "started_ms": None if state.transaction_start_time_ms < 0 else state.transaction_start_time_ms,
        "open_s": _open_s(state, round(time.time() * 1000)),
        "partitions": [
            {"topic": where.topic, "partition": where.partition, "start_offset": start, "offsets_waiting": offsets}
            for where, start, offsets in waiting
        ],
    }


def _shown(
    transactions: Transactions,
    state: TransactionState,
    waiting: list[tuple[TopicPartition, int | None, int | None]],
) -> str:
    open_s = _open_s(state, round(time.time() * 1000))
    since = (
        "" if open_s is None else f", open for {open_s:g} s since {output.timestamp(state.transaction_start_time_ms)}"
    )
    head = (
        f"{state.transactional_id}: {state.transaction_state}{since}\n"
        f"  producer {state.producer_id} epoch {state.producer_epoch}, "
        f"timeout {state.transaction_timeout_ms / 1000:g} s, "
        f"coordinator {transactions.coordinator(state.transactional_id)}\n"
    )
    if not waiting:
        return head
    rows = [(where.topic, where.partition, start, offsets) for where, start, offsets in waiting]
    return head + output.table(("TOPIC", "PARTITION", "BEGINS AT", "OFFSETS WAITING"), rows)


def _open_s(state: TransactionState, now_ms: int) -> float | None:
    if state.transaction_start_time_ms < 0 or state.transaction_state not in OPEN_STATES:
        return None
    return max(now_ms - state.transaction_start_time_ms, 0) / 1000


# --- abort, find-hanging ----------------------------------------------------------------------------------------------


def _abort(client: Client, transactions: Transactions, args: Namespace) -> int:
    if bool(args.ids) == (args.topic is not None):
        raise UsageError("either transactional ids or --topic TOPIC:PARTITION")
    if args.topic is not None:
        return _abort_on(client, transactions, args)
    code = DONE
    for transactional_id in dict.fromkeys(args.ids):
        state = transactions.described(transactional_id)
        if state is None:
            code = _missing(args, transactional_id)
            continue
        was_open = state.transaction_state in OPEN_STATES
        if was_open:
            transactions.fence(transactional_id)
        if args.json:
            sys.stdout.write(output.json_line({"id": transactional_id, "aborted": was_open}))
        elif was_open:
            sys.stdout.write(f"aborted {transactional_id}\n")
        else:
            sys.stdout.write(f"nothing is open under {transactional_id}\n")
    return code


def _abort_on(client: Client, transactions: Transactions, args: Namespace) -> int:
    (topic, indexes), *others = parse_topics([args.topic]).items()
    if others or indexes is None or len(indexes) != 1:
        raise UsageError("--topic takes one partition: TOPIC:PARTITION")
    where = TopicPartition(topic, *indexes)
    cluster = client.cluster([topic])
    opened = [
        each
        for each in transactions.open_on(cluster, [where])
        if args.producer_id is None or each.producer_id == args.producer_id
    ]
    hanging = transactions.hanging(opened, _before_ms(args))
    if not hanging:
        why = "what is open there may yet end by itself: --max-timeout" if opened else "nothing is open there"
        raise CommandError(f"no transaction hangs on {where}", why)
    if len(hanging) > 1:
        ids = ", ".join(str(each.producer_id) for each in hanging)
        raise UsageError(f"several hang on {where}: choose one with --producer-id, of {ids}")
    transactions.write_abort(cluster, hanging[0])
    if args.json:
        sys.stdout.write(output.json_line({**_hanging_facts(hanging[0]), "aborted": True}))
    else:
        sys.stdout.write(f"aborted the transaction of producer {hanging[0].producer_id} on {where}\n")
    return DONE


def _find_hanging(client: Client, transactions: Transactions, args: Namespace) -> int:
    chosen = parse_topics(args.topic)
    cluster = client.cluster(chosen or None)
    partitions = _partitions(cluster, chosen)
    found = transactions.hanging(transactions.open_on(cluster, partitions), _before_ms(args))
    if args.json:
        sys.stdout.writelines(output.json_line(_hanging_facts(each)) for each in found)
    elif found:
        rows = [tuple(_hanging_facts(each).values()) for each in found]
        headings = ("TOPIC", "PARTITION", "PRODUCER", "EPOCH", "BEGINS AT", "LAST WRITE MS")
        sys.stdout.write(output.table(headings, rows))
        sys.stdout.write("end one: ottla transactions abort --topic TOPIC:PARTITION\n")
    return FAILED if found else DONE


def _partitions(cluster: Cluster, chosen: dict[str, set[int] | None]) -> list[TopicPartition]:
    found = []
    for name, topic in cluster.topics.items():
        wanted = chosen.get(name)
        found += [
            TopicPartition(name, partition.partition_index)
            for partition in topic.partitions
            if wanted is None or partition.partition_index in wanted
        ]
    return found


def _hanging_facts(opened: Open) -> dict[str, object]:
    return {
        "topic": opened.where.topic,
        "partition": opened.where.partition,
        "producer_id": opened.producer_id,
        "producer_epoch": opened.producer_epoch,
        "start_offset": opened.start_offset,
        "last_write_ms": opened.last_timestamp_ms,
    }


def _before_ms(args: Namespace) -> int:
    max_timeout_s: float = args.max_timeout
    return round((time.time() - max_timeout_s) * 1000)


def _missing(args: Namespace, transactional_id: str) -> int:
    sys.stderr.write(
        f"ottla transactions {args.verb}: there is no transactional id {transactional_id}\n"
        "  ottla transactions list shows what there is\n"
    )
    return FAILED


_VERBS: Final = {
    "list": _list,
    "describe": _describe,
    "abort": _abort,
    "find-hanging": _find_hanging,
}

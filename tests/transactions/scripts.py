"""Runs the scripts of ``tests/scripts/transactions``: producers, their coordinator, and the full transcript.

Steps are as in ``tests.support.scripts``. Words are ``name=value``; what is missing has a usual value. Producer ids are
named in the order in which they are seen, a producer is an id with an epoch; a transactional id is ``x`` unless said
otherwise::

    init y timeout=60000                   InitProducerId for transactional id y
    init producer=P1/0                     it goes on after an error
    add producer=P1/0 t-0 t-1              AddPartitionsToTxn; v=4 as leaders of partitions do, verify=yes only asks
    end producer=P1/0 commit               EndTxn; v=5 for transaction version 2
    advance 3000                           milliseconds pass

Markers are written as soon as they are due, unless the script takes that over: ``markers held``, then ``markers`` shows
what is due and takes it, ``written producer=P1/0 t-0=NONE`` tells what came of it (of what was taken last, or
``which=first``). ``commits held`` keeps what is emitted from being committed until ``commit``; ``exact`` says that
milliseconds count. Lines of the transcript: answers by transactional id; how it changed; records; markers.

    python -m tests.transactions.scripts --against HOST:PORT FILE...   compare with Kafka, in real time

With ``--restart COMMAND`` scripts can have Kafka configured and started again; see ``against``.
"""

from __future__ import annotations

import contextlib
from typing import Any

from ottla.wire.k26_end_txn import EndTxnRequest
from tests.support.scripts import Address, Against, main, play_text, words_of
from tests.transactions.against import BrokerWorld, visible
from tests.transactions.script_texts import init_request, partitions
from tests.transactions.script_world import World


def run_command(command: str, world: Any) -> list[str]:
    verb, *rest = command.split()
    bare, words = words_of(rest)
    names = world.names
    lines: list[str] = []
    match verb:
        case "config":
            world.configure(words)
        case "advance":
            lines = world.advance(int(bare[0]))
        case "init":
            name = bare[0] if bare else "x"
            lines = world.init(name, init_request("" if name == "?" else name, words, names), int(words.get("v", 5)))
        case "add":
            version, name = int(words.get("v", 3)), words.get("id", "x")
            lines = world.add(name, names.pair(words["producer"]), partitions(bare), version, "verify" in words)
        case "end":
            producer_id, epoch = names.pair(words["producer"])
            name = words.get("id", "x")
            request = EndTxnRequest(
                transactional_id=name, producer_id=producer_id, producer_epoch=epoch, committed="commit" in bare
            )
            lines = world.end(name, request, int(words.get("v", 4)))
        case "describe":
            lines = world.describe(bare[0] if bare else "x")
        case "list":
            lines = world.list_ids(words)
        case "spend":
            lines = world.spend("x", int(bare[0]))
        case "delete":
            lines = world.delete(bare[0])
        case "version":
            lines = world.use_version(int(bare[0]))
        case "reload":
            lines = world.reload()
        case _:
            lines = world.inside(verb, words, bare)
    return lines


def play(text: str) -> str:
    """The script as our machine plays it."""
    world = World()
    return play_text(text, lambda command: run_command(command, world))


def play_against(text: str, address: Address, restart: str) -> str:
    """The script as a broker behind a socket plays it, in real time."""
    with contextlib.closing(BrokerWorld(address, restart)) as world:
        return play_text(text, lambda command: run_command(command, world))


if __name__ == "__main__":
    raise SystemExit(main(play, Against(play_against, visible, "restart")))

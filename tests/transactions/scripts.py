"""Runs the scripts of ``tests/scripts/transactions``: producers, their coordinator, and the full transcript.

A script is a series of steps: commands, ``----``, what came of them, an empty line. Lines with ``#`` are comments.
Words are ``name=value``; what is missing has a usual value. Producer ids are named in the order in which they are seen,
a producer is an id with an epoch; a transactional id is ``x`` unless said otherwise::

    init y timeout=60000                   InitProducerId for transactional id y
    init producer=P1/0                     it goes on after an error
    add producer=P1/0 t-0 t-1              AddPartitionsToTxn; v=4 as leaders of partitions do, verify=yes only asks
    end producer=P1/0 commit               EndTxn; v=5 for transaction version 2
    advance 3000                           milliseconds pass

Markers are written as soon as they are due, unless the script takes that over: ``markers held``, then ``markers`` shows
what is due and takes it, ``written producer=P1/0 t-0=NONE`` tells what came of it (of what was taken last, or
``which=first``). ``commits held`` keeps what is emitted from being committed until ``commit``; ``exact`` says that
milliseconds count. Lines of the transcript: answers by transactional id; how it changed; records; markers.

    python -m tests.transactions.scripts FILE...                       compare
    python -m tests.transactions.scripts --rewrite FILE...             write what comes out
    python -m tests.transactions.scripts --against HOST:PORT FILE...   compare with Kafka, in real time

With ``--restart COMMAND`` scripts can have Kafka configured and started again; see ``against``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ottla.wire.k26_end_txn import EndTxnRequest
from tests.support.api_scripts import Step, parse, unparse, with_transcripts
from tests.transactions.script_texts import init_request, partitions
from tests.transactions.script_world import World


def play(steps: list[Step], world: Any) -> list[Step]:
    """The steps with the transcripts as they come out."""
    return with_transcripts(steps, lambda command: run_command(command, world))


def run_command(command: str, world: Any) -> list[str]:
    verb, *rest = command.split()
    words = dict(word.split("=", 1) for word in rest if "=" in word)
    bare = [word for word in rest if "=" not in word]
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


def play_text(text: str) -> str:
    return unparse(play(parse(text), World()))


def main() -> int:
    parser = argparse.ArgumentParser(description="Run scripts of transactional ids.")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--rewrite", action="store_true")
    parser.add_argument("--against", metavar="HOST:PORT")
    parser.add_argument("--restart", metavar="COMMAND")
    options = parser.parse_args()
    different = 0
    for path in options.files:
        text = path.read_text()
        if options.against:
            from tests.transactions.against import play_against

            host, _, port = options.against.rpartition(":")
            different += play_against(path, text, (host, int(port)), options.restart)
        elif (played := play_text(text)) != text:
            different += 1
            if options.rewrite:
                path.write_text(played)
            else:
                print(f"{path} has another transcript now")
    return 0 if options.rewrite else min(different, 1)


if __name__ == "__main__":
    raise SystemExit(main())

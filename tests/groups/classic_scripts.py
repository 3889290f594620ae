"""Runs the scripts of ``tests/scripts/groups/classic``: members of classic groups, and the full transcript.

Steps are as in ``tests.support.scripts``. Words are ``name=value``; what is missing has a usual value. Member ids are
named after their prefix and a number::

    join a member=a-1 protocols=range,roundrobin:metadata   a client named a joins group g; more in ``classic_texts``
    sync a member=a-1 generation=1 assign=a-1:p0
    advance 3000                                            milliseconds pass

Lines of the transcript: answers by client; how groups changed, with their generation; records.

    python -m tests.groups.classic_scripts --against HOST:PORT FILE...   compare with Kafka, in real time

With ``--restart COMMAND`` scripts can have Kafka configured and started again; see ``classic_against``.
"""

from __future__ import annotations

import contextlib
from typing import Any

from tests.groups.classic_against import BrokerWorld, keep_not_asked, visible
from tests.groups.classic_texts import Ask, request_of
from tests.groups.classic_world import World
from tests.support.scripts import Address, Against, main, play_text, words_of


def run_command(command: str, world: Any) -> list[str]:
    verb, *rest = command.split()
    plain, words = words_of(rest)
    client = plain[0] if plain else ""
    group_id = words.pop("group", "g")
    if verb == "config":
        world.configure(words)
        return []
    if verb == "advance":
        lines: list[str] = world.advance(int(client))
        return lines
    found = request_of(verb, group_id, words, world.names)
    if found is not None:
        lines = world.ask(Ask(client, *found))
    elif verb == "describe":
        lines = world.describe(group_id)
    elif verb == "commit":
        lines = world.commit(client, group_id, words)
    elif verb == "delete":
        lines = world.delete(group_id)
    else:
        lines = world.inside(verb, words, group_id)
    return lines


def play(text: str) -> str:
    """The script as our machine plays it."""
    world = World()
    return play_text(text, lambda command: run_command(command, world))


def play_against(text: str, address: Address, restart: str) -> str:
    """The script as a broker behind a socket plays it, in real time."""
    with contextlib.closing(BrokerWorld(address, restart)) as world:
        return play_text(text, lambda command: run_command(command, world), keep_not_asked)


if __name__ == "__main__":
    raise SystemExit(main(play, Against(play_against, visible, "restart")))

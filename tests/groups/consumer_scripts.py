"""Runs the scripts of ``tests/scripts/groups/consumer`` and ``…/migration``: members of both protocols in the groups of
one shard, and the full transcript.

Steps are as in ``tests.support.scripts``. Words are ``name=value``; a client remembers its member id and epoch, so that
what is missing is what it would say::

    topic t partitions=3 racks=x,y              a topic comes, or changes; ``topic t gone``
    config migration=disabled session=3000      before anything else
    join a topics=t                             ConsumerGroupHeartbeat with epoch 0, which owns nothing
    beat a owns=t:0-1                           one with the epoch that was told last
    leave a                                     one with epoch -1; ``epoch=-2`` for a while
    cjoin b topics=t owns=t:0-1                 JoinGroup of a classic consumer; csync, cbeat, cleave
    advance 3000                                milliseconds pass
    commit a t:0                                OffsetCommit; describe, list, delete, reload

Lines of the transcript: answers by client; how groups changed, with their epoch or generation; records.

    python -m tests.groups.consumer_scripts --against HOST:PORT FILE...   compare with Kafka, in real time
"""

from __future__ import annotations

import contextlib
from typing import Any

from tests.groups.consumer_against import BrokerWorld, visible
from tests.groups.consumer_requests import request_of
from tests.groups.consumer_world import World
from tests.support.scripts import Address, Against, main, play_text, words_of


def run_command(command: str, world: Any) -> list[str]:
    verb, *rest = command.split()
    plain, words = words_of(rest)
    subject = plain[0] if plain else ""
    if len(plain) > 1:
        words["what"] = plain[1]
    if verb == "config":
        world.configure(words)
        return []
    if verb == "topic":
        lines: list[str] = world.topic(subject, words)
    elif verb == "advance":
        lines = world.advance(int(subject))
    elif verb == "reload":
        lines = world.reload()
    else:
        lines = world.ask(request_of(verb, subject, words, world.names, world.topics))
    return lines


def play(text: str) -> str:
    """The script as our machine plays it."""
    world = World()
    return play_text(text, lambda command: run_command(command, world))


def play_against(text: str, address: Address, settings: str) -> str:
    """The script as a broker behind a socket plays it, in real time."""
    with contextlib.closing(BrokerWorld(address, words_of(settings.split())[1])) as world:
        return play_text(text, lambda command: run_command(command, world))


if __name__ == "__main__":
    raise SystemExit(main(play, Against(play_against, visible, "settings")))

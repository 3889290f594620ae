"""Scripts in text: commands, and the full transcript of what came of them. One format and one player for all kinds.

A script is a series of steps, with an empty line between them: comments, which are lines with ``#``; commands;
``----``; and the transcript. What commands there are, and what a transcript shows, says the module of each kind::

    # The second member makes the group rebalance.
    join b member=b-1
    ----
    g: Stable(1) -> PreparingRebalance(1)

A module of a kind ends with ``main``, and so takes these arguments::

    python -m tests.groups.classic_scripts FILE...                       compare
    python -m tests.groups.classic_scripts --rewrite FILE...             write what comes out
    python -m tests.groups.classic_scripts --against HOST:PORT FILE...   compare with a broker behind a socket

Prior art: etcd's datadriven tests.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

NOTHING: Final = "(nothing)"
"""The transcript of commands of which nothing came."""
DASHES: Final = "----"

Address: TypeAlias = "tuple[str, int]"
Run: TypeAlias = Callable[[str], list[str]]
"""What comes of a command, a line each."""
Merge: TypeAlias = "Callable[[Step, list[str]], list[str]]"
"""Makes a step's lines of those that came out, where a player does not see all of them."""


class Step(NamedTuple):
    """Commands and what came of them; comments alone have neither."""

    comment: str
    command: str
    transcript: str


class NotOfKafka(Exception):
    """A command that reaches inside, which only our own machine allows."""


def parse(text: str) -> list[Step]:
    """The steps of a script."""
    steps: list[Step] = []
    for block in text.strip("\n").split("\n\n"):
        head, separator, transcript = f"{block}\n".partition(f"\n{DASHES}\n")
        lines = head.split("\n")
        comment = "\n".join(line for line in lines if line.startswith("#"))
        command = "\n".join(line for line in lines if not line.startswith("#"))
        assert separator or not command.strip("\n"), f"a command without {DASHES} in {block!r}"
        steps.append(Step(comment, command.rstrip("\n"), transcript.rstrip("\n")))
    return steps


def unparse(steps: Iterable[Step]) -> str:
    """The script of these steps."""
    blocks = []
    for step in steps:
        head = "\n".join(part for part in (step.comment, step.command) if part)
        blocks.append(f"{head}\n{DASHES}\n{step.transcript}" if step.command else head)
    return "\n\n".join(blocks) + "\n"


def words_of(words: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """Plain words, and those that are ``name=value``."""
    plain, named = [], {}
    for word in words:
        name, equals, value = word.partition("=")
        if equals:
            named[name] = value
        else:
            plain.append(word)
    return plain, named


def play(steps: Sequence[Step], run: Run, merge: Merge = lambda _, lines: lines) -> list[Step]:
    """The steps with the transcripts as they come out: all, or up to the first command that is not Kafka's."""
    played = []
    for at, step in enumerate(steps):
        if not step.command:
            played.append(step)
            continue
        try:
            lines = merge(step, [line for command in step.command.split("\n") for line in run(command)])
        except NotOfKafka as command:
            print(f"no further than «{command}»")
            return [*played, *steps[at:]]
        played.append(step._replace(transcript="\n".join(lines) or NOTHING))
    return played


def play_text(text: str, run: Run, merge: Merge = lambda _, lines: lines) -> str:
    """The script with the transcripts as they come out."""
    return unparse(play(parse(text), run, merge))


class Against(NamedTuple):
    """How scripts of a kind are played against a broker."""

    play: Callable[[str, Address, str], str]
    """The script as the broker plays it; the last argument is the option's value."""
    visible: Callable[[str], list[str]] = str.splitlines
    """What of a transcript is compared."""
    option: str = "option"
    """What this kind has to be told beside the address."""
    shows_all: bool = False
    """Can the whole transcript be written from what a client sees?"""


def main(own: Callable[[str], str] | None, against: Against | None = None, files: Sequence[Path] = ()) -> int:
    """The command line of a kind of scripts. ``own``: as our machine plays them; ``files``: which, when none are named.
    Returns how many steps differ, at most 1."""
    parser = argparse.ArgumentParser(description="Play scripts, and compare.")
    parser.add_argument("files", nargs="*" if files else "+", type=Path, default=list(files))
    parser.add_argument("--rewrite", action="store_true", help="write what comes out")
    if against is not None:
        parser.add_argument("--against", metavar="HOST:PORT", required=own is None)
        parser.add_argument(f"--{against.option}", dest="option", default="")
    options = parser.parse_args()
    other = against if against is not None and options.against else None
    if options.rewrite and other is not None and not other.shows_all:
        parser.error("a broker does not show all that is in these transcripts")
    different = 0
    for path in options.files:
        text = path.read_text()
        if other is not None:
            host, _, port = options.against.rpartition(":")
            played = other.play(text, (host, int(port)), options.option)
        else:
            assert own is not None
            played = own(text)
        if options.rewrite:
            path.write_text(played)
            continue
        found = differences(text, played, str.splitlines if other is None else other.visible)
        print("\n".join(f"{path}: {each}" for each in found) or f"{path}: the same")
        different += len(found)
    return min(different, 1)


def differences(before: str, after: str, visible: Callable[[str], list[str]]) -> list[str]:
    """What differs between two players of a script, a text for each step."""
    found = []
    for old, new in zip(parse(before), parse(after), strict=True):
        ours, theirs = visible(old.transcript), visible(new.transcript)
        if ours != theirs:
            lines = (line for line in difflib.ndiff(ours, theirs) if not line.startswith("?"))
            found.append("\n".join([old.command, *(f"    {line}" for line in lines)]))
    return found

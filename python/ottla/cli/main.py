"""`ottla`: names the subcommand and hands over to its module.

Ours differs from the usual tree of parsers in that a subcommand's module is imported only when it is asked for: the
start of `ottla serve` counts, and so does that of a tool in a loop. Adding one is a line in `COMMANDS`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    import argparse

COMMANDS: Final = {
    "serve": "run a broker",
    "topics": "create, list, describe, delete topics, add partitions",
    "groups": "list, describe, reset, delete groups; what they committed, how far behind they are",
    "transactions": "list, describe, abort transactions; find those that hang",
    "produce": "write lines of standard input to a topic",
    "consume": "read records of a topic",
    "inspect": "decode files of a data directory and find what is wrong in them",
}


class Command(Protocol):
    """What the module of a subcommand has."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, args: argparse.Namespace) -> int: ...


def main(argv: Sequence[str] | None = None) -> int:
    """Runs `ottla` with these arguments and gives the exit code; exits by itself only to show help."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        sys.stdout.write(_overview())
        return 0 if arguments else 2
    if arguments[0] in ("-V", "--version"):
        from ottla import __version__

        sys.stdout.write(f"ottla {__version__}\n")
        return 0
    name, rest = arguments[0], arguments[1:]
    if name not in COMMANDS:
        sys.stderr.write(f"ottla: there is no command {name!r}\n{_overview()}")
        return 2
    return _run(name, rest)


def _run(name: str, arguments: Sequence[str]) -> int:
    import argparse
    import importlib

    from ottla.cli.errors import INTERRUPTED, CommandError

    command: Command = importlib.import_module(f"ottla.cli.{name}")
    parser = argparse.ArgumentParser(prog=f"ottla {name}", description=command.__doc__, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    command.add_arguments(parser)
    args = parser.parse_args(arguments)
    try:
        code = command.run(args)
        sys.stdout.flush()
        return code
    except CommandError as error:
        sys.stderr.write(f"ottla {name}: {error}\n")
        return error.code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has enough. Nothing more may be written, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {words}\n" for name, words in COMMANDS.items()]
    return (
        "usage: ottla COMMAND ...\n\nThe Kafka you can import.\n\ncommands:\n"
        + "".join(lines)
        + "\n`ottla COMMAND --help` tells more; `ottla --version` says which this is.\n"
    )


if __name__ == "__main__":
    sys.exit(main())

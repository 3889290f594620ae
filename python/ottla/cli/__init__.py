"""The command line: `ottla serve`, `topics`, `produce`, `consume`, `inspect`.

Each subcommand is a module with `add_arguments(parser)` and `run(args) -> int`, imported when it is named, so that
`ottla --help` reads nothing of the broker. Exit codes are those of `ottla.cli.errors`.
"""

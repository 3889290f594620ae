"""From files and command line to a broker's configuration, with warnings a person can act on.

The one file of this folder that opens a file. Order, the strongest last: the embedded default, the file, `--set`. An
error names the file and line that it came from; a key nobody knows is a warning with the name that was probably
meant, since Kafka starts with it too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple, final

from ottla.config import registry
from ottla.config.acted_on import ACTED_ON
from ottla.config.definition import ConfigError
from ottla.config.node import Node, parse_node
from ottla.config.properties import Setting, parse_assignments, parse_properties
from ottla.config.values import BrokerConfig

FILE_BYTES_MAX: Final = 4 * 1024 * 1024
"""A settings file larger than this is something else."""

EMBEDDED: Final = (
    ("process.roles", "broker,controller"),
    ("node.id", "1"),
    # A machine's own clients only: nothing is secured until somebody says how.
    ("listeners", "PLAINTEXT://127.0.0.1:9092"),
    # Named because Kafka's tools and metadata want one; no socket is opened for it (see ottla.config.node).
    ("controller.listener.names", "CONTROLLER"),
    ("log.dirs", "data"),
    # One node cannot hold three replicas of anything.
    ("offsets.topic.replication.factor", "1"),
    ("transaction.state.log.replication.factor", "1"),
    ("transaction.state.log.min.isr", "1"),
    ("share.coordinator.state.topic.replication.factor", "1"),
    ("share.coordinator.state.topic.min.isr", "1"),
    # Nobody waits three seconds for the second member of a group on a laptop.
    ("group.initial.rebalance.delay.ms", "0"),
    # The thread that accepts has other work, too: with Kafka's 50, who comes in a crowd is let in a second later.
    ("socket.listen.backlog.size", "1024"),
)
"""The settings of a broker that was told nothing: one node, for this machine."""

_EMBEDDED_WHERE: Final = "embedded default"


@final
class Loaded(NamedTuple):
    config: BrokerConfig
    node: Node
    warnings: tuple[str, ...]
    settings: tuple[Setting, ...]
    """Every setting that was read, in order, the overridden ones too."""


def load(path: Path | None, assignments: Sequence[str] = (), settings: Iterable[Setting] = ()) -> Loaded:
    """Read and check. `settings` come between the file and `assignments`. Blocking; raises `ConfigError`, `OSError`.

    Without a file the embedded default is the ground; with one, the file has to say everything, as with Kafka.
    """
    if path is None:
        ground = [Setting(name, text, _EMBEDDED_WHERE) for name, text in EMBEDDED]
    else:
        ground = parse_properties(_read(path), str(path))
    return resolve([*ground, *settings, *parse_assignments(assignments)])


def resolve(settings: Sequence[Setting]) -> Loaded:
    """The configuration these settings make, later ones over earlier ones. Raises `ConfigError`, located."""
    strongest = {setting.name: setting for setting in settings}
    try:
        config = BrokerConfig({name: setting.text for name, setting in strongest.items()})
        node = parse_node(config)
    except ConfigError as error:
        where = strongest[error.name].where if error.name in strongest else None
        raise (error if where is None else ConfigError(f"{where}: {error.message}", error.name)) from None
    warnings = list(_unknown(strongest.values()))
    own = [name for name, setting in strongest.items() if setting.where != _EMBEDDED_WHERE]
    if idle := not_acted_on(config, own, ACTED_ON):
        warnings.append(f"known, but without effect in this version: {', '.join(idle)}")
    return Loaded(config, node, tuple(warnings), tuple(settings))


def not_acted_on(config: BrokerConfig, names: Iterable[str], acted_on: Collection[str]) -> tuple[str, ...]:
    """Of these names: the known ones that have another value than their default, and that nobody heeds."""
    return tuple(
        name
        for name in sorted(names)
        if (definition := registry.broker_definition(name)) is not None
        and registry.bare_name(name) not in acted_on
        and config.value(name) != definition.default
    )


def _unknown(settings: Iterable[Setting]) -> Iterable[str]:
    for setting in settings:
        if registry.is_known_in_file(setting.name):
            continue
        guess = registry.closest(setting.name)
        hint = f"; did you mean {guess}?" if guess else ""
        yield f"{setting.where}: unknown configuration {setting.name}{hint}"


def _read(path: Path) -> str:
    if path.stat().st_size > FILE_BYTES_MAX:
        raise ConfigError(f"{path}: larger than {FILE_BYTES_MAX} bytes, so not a settings file")
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}") from None

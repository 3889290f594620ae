"""What a configuration may ask for that this release does not do: refused at the start, never served as something less.

A setting without effect is worth a warning (``ottla.config.load``). Those here decide who gets in and which machines
hold the data: to go on without them would be to serve openly what was meant to be closed, or alone what was meant to be
replicated. Each check goes when its feature comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ottla.config.definition import ConfigError
from ottla.config.listeners import SecurityProtocol

if TYPE_CHECKING:
    from ottla.config.node import Node
    from ottla.config.values import BrokerConfig

__all__ = ["check_served"]


def check_served(config: BrokerConfig, node: Node) -> None:
    """Raises ``ConfigError``."""
    for end in node.listeners.broker:
        if end.protocol is not SecurityProtocol.PLAINTEXT:
            raise ConfigError(
                f"listener {end.listener} is {end.protocol.name}: this release serves PLAINTEXT listeners alone",
                "listeners",
            )
    if authorizer := config.optional_text("authorizer.class.name"):
        raise ConfigError(
            f"authorizer.class.name is {authorizer}: this release lets everybody do everything; "
            "remove the setting if that is what you want",
            "authorizer.class.name",
        )
    if not (node.is_broker and node.is_controller):
        raise ConfigError(
            "process.roles must be broker,controller: this release runs one node that is both", "process.roles"
        )
    if others := [voter for voter in node.voters if voter.id != node.id]:
        raise ConfigError(
            f"controller.quorum.voters names another node, {others[0].id}: this release is a quorum of one",
            "controller.quorum.voters",
        )
    directories = config.log_dirs
    if len(directories) > 1:
        raise ConfigError(
            f"log.dirs names {len(directories)} directories ({', '.join(directories)}): this release keeps its "
            "logs in one; name one of them",
            "log.dirs",
        )
    if config.metadata_log_dir != directories[0]:
        raise ConfigError(
            "metadata.log.dir is another directory than log.dirs: this release keeps both in one", "metadata.log.dir"
        )

"""What the settings of a node must be to each other, and its identity, roles and listeners out of them.

Prior art: `KafkaConfig.validateValues`, in its order and words. Ours leaves out what only a JVM can mean (principal
builder classes), accepts a combined node that is its own whole quorum without a controller socket (the controller is
then reached inside the process), and lets brokers use the first listener when none is named after a protocol.
"""

from __future__ import annotations

from typing import Final, NamedTuple, final

from ottla.config.listeners import (
    Endpoint,
    Listeners,
    SecurityProtocol,
    Voter,
    parse_endpoints,
    parse_protocol_map,
    parse_voters,
)
from ottla.config.topic import retention_ms_default, segment_jitter_ms_default, segment_ms_default
from ottla.config.values import BrokerConfig, require

_SECURED: Final = ("SSL", "SASL_SSL", "SASL_PLAINTEXT")


@final
class Node(NamedTuple):
    """Who this node is in the cluster."""

    id: int
    is_broker: bool
    is_controller: bool
    rack: str | None
    listeners: Listeners
    voters: tuple[Voter, ...]
    """Of a static quorum; empty for a dynamic one."""


def parse_node(config: BrokerConfig) -> Node:
    """The node these settings describe; raises `ConfigError` where they contradict each other."""
    require(
        config.node_id == config.integer("broker.id"),
        "`node.id` and `broker.id` must be set to the same value. "
        "`broker.id` is deprecated, please use `node.id` instead.",
        "node.id",
    )
    _check_logs(config)
    _check_replication(config)
    _check_groups(config)
    roles = config.words("process.roles")
    is_broker, is_controller = "broker" in roles, "controller" in roles
    voters = parse_voters(config.words("controller.quorum.voters"))
    servers = config.words("controller.quorum.bootstrap.servers")
    _check_quorum(config, voters, servers, is_broker, is_controller)
    listeners = _listeners(config, is_broker, is_controller, own_quorum=_is_own_quorum(config, voters, servers))
    _check_connections(config, listeners)
    return Node(config.node_id, is_broker, is_controller, config.optional_text("broker.rack"), listeners, voters)


def _is_own_quorum(config: BrokerConfig, voters: tuple[Voter, ...], servers: tuple[str, ...]) -> bool:
    """Is this node alone the metadata quorum, as far as its settings say?"""
    if len(config.words("process.roles")) != 2:
        return False
    return not servers and all(voter.id == config.node_id for voter in voters)


def _check_logs(config: BrokerConfig) -> None:
    require(segment_ms_default(config) >= 1, "log.roll.ms must be greater than or equal to 1", "log.roll.ms")
    require(
        segment_jitter_ms_default(config) >= 0,
        "log.roll.jitter.ms must be greater than or equal to 0",
        "log.roll.jitter.ms",
    )
    retention_ms = retention_ms_default(config)
    require(
        retention_ms >= 1 or retention_ms == -1,
        "log.retention.ms must be unlimited (-1) or, greater than or equal to 1",
        "log.retention.ms",
    )
    require(bool(config.log_dirs), "At least one log directory must be defined via log.dirs or log.dir.", "log.dirs")
    threads = max(config.integer("log.cleaner.threads"), 1)
    require(
        config.integer("log.cleaner.dedupe.buffer.size") // threads > 1024 * 1024,
        "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.",
        "log.cleaner.dedupe.buffer.size",
    )
    cordoned = config.words("cordoned.log.dirs")
    if "*" in cordoned:
        require(
            len(cordoned) == 1,
            "When cordoned.log.dirs is set to *, it must not contain other values",
            "cordoned.log.dirs",
        )
    elif missing := [path for path in cordoned if path not in config.log_dirs]:
        require(
            False,
            "All entries in cordoned.log.dirs must be present in log.dirs or log.dir. "
            f"Missing entries : {', '.join(missing)}",
            "cordoned.log.dirs",
        )


def _check_replication(config: BrokerConfig) -> None:
    wait_ms = config.integer("replica.fetch.wait.max.ms")
    require(
        wait_ms <= config.integer("replica.socket.timeout.ms"),
        "replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to prevent unnecessary socket "
        "timeouts",
        "replica.socket.timeout.ms",
    )
    require(
        wait_ms <= config.integer("replica.lag.time.max.ms"),
        "replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms to prevent frequent "
        "changes in ISR",
        "replica.fetch.wait.max.ms",
    )


def _check_groups(config: BrokerConfig) -> None:
    """Of each group kind: smallest ≤ value ≤ largest, and heartbeats fit into the session timeout."""
    for kind in ("consumer", "share", "streams"):
        for key in ("session.timeout.ms", "heartbeat.interval.ms", "assignment.interval.ms"):
            _require_between(config, f"group.{kind}.min.{key}", f"group.{kind}.{key}", f"group.{kind}.max.{key}")
        heartbeat, session = f"group.{kind}.heartbeat.interval.ms", f"group.{kind}.session.timeout.ms"
        require(
            config.integer(heartbeat) < config.integer(session),
            f"{heartbeat} must be less than {session}",
            heartbeat,
        )
    codec = config.integer("offsets.topic.compression.codec")
    require(
        0 <= codec <= 4,
        f"Unknown compression type id: {codec}. offsets.topic.compression.codec is 0 (none), 1 (gzip), 2 (snappy), "
        "3 (lz4) or 4 (zstd)",
        "offsets.topic.compression.codec",
    )
    for key in ("delivery.count.limit", "record.lock.duration.ms", "partition.max.record.locks"):
        _require_between(config, f"group.share.min.{key}", f"group.share.{key}", f"group.share.max.{key}")


def _require_between(config: BrokerConfig, least: str, name: str, most: str) -> None:
    value = config.integer(name)
    require(config.integer(least) <= config.integer(most), f"{most} must be greater than or equal to {least}", most)
    require(value >= config.integer(least), f"{name} must be greater than or equal to {least}", name)
    require(value <= config.integer(most), f"{name} must be less than or equal to {most}", name)


def _listeners(config: BrokerConfig, is_broker: bool, is_controller: bool, *, own_quorum: bool) -> Listeners:
    controller_names = tuple(name.upper() for name in config.words("controller.listener.names"))
    protocols = _protocols(config, controller_names)
    opened = parse_endpoints(config.words("listeners"), protocols, "listeners", distinct_ports=True)
    told = parse_endpoints(
        config.words("advertised.listeners"), protocols, "advertised.listeners", distinct_ports=False
    )
    for endpoint in told:
        require(
            endpoint.host not in ("0.0.0.0", "::"),
            "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address.",
            "advertised.listeners",
        )
    broker = tuple(endpoint for endpoint in opened if endpoint.listener not in controller_names)
    controller = tuple(endpoint for endpoint in opened if endpoint.listener in controller_names)
    _check_roles(is_broker, is_controller, own_quorum, controller_names, broker, controller)
    names = [endpoint.listener for endpoint in opened]
    require(
        all(endpoint.listener in names for endpoint in told),
        "advertised.listeners listener names must be equal to or a subset of the ones defined in listeners. Found "
        f"{','.join(endpoint.listener for endpoint in told)}. The valid options based on the current configuration are "
        f"{','.join(names)}",
        "advertised.listeners",
    )
    inter_broker = _inter_broker(config, protocols, [endpoint.listener for endpoint in broker]) if is_broker else None
    advertised = {endpoint.listener: endpoint for endpoint in told}
    return Listeners(broker, controller, advertised, inter_broker, controller_names, protocols)


def _protocols(config: BrokerConfig, controller_names: tuple[str, ...]) -> dict[str, SecurityProtocol]:
    key = "listener.security.protocol.map"
    entries = [entry.strip() for entry in config.text(key).split(",") if entry.strip()]
    protocols = parse_protocol_map(entries, key)
    # Kafka's convenience: without a map of one's own, and without a secured listener, controllers are in the clear.
    secured = any(entry.partition("://")[0].upper() in _SECURED for entry in config.words("listeners"))
    if key not in config.static and not secured and not any(name in _SECURED for name in controller_names):
        for name in controller_names:
            protocols.setdefault(name, SecurityProtocol.PLAINTEXT)
    for name in controller_names:
        require(
            name in protocols,
            f"Controller listener with name {name} defined in controller.listener.names not found in {key}  (an "
            "explicit security mapping for each controller listener is required if listener.security.protocol.map is "
            "non-empty, or if there are security protocols other than PLAINTEXT in use)",
            "controller.listener.names",
        )
    return protocols


def _check_roles(
    is_broker: bool,
    is_controller: bool,
    own_quorum: bool,
    controller_names: tuple[str, ...],
    broker: tuple[Endpoint, ...],
    controller: tuple[Endpoint, ...],
) -> None:
    names, listeners = "controller.listener.names", "listeners"
    if is_controller:
        require(
            bool(controller_names) and (bool(controller) or own_quorum),
            "controller.listener.names must contain at least one value appearing in the 'listeners' configuration when "
            "running the KRaft controller role",
            names,
        )
    else:
        require(
            bool(controller_names),
            "controller.listener.names must contain at least one value when running KRaft with just the broker role",
            names,
        )
        require(
            not controller,
            "controller.listener.names must not contain a value appearing in the 'listeners' configuration when "
            "running KRaft with just the broker role",
            names,
        )
    if is_broker:
        hint = " Perhaps all listeners appear in controller.listener.names?" if controller else ""
        require(bool(broker), f"There must be at least one broker advertised listener.{hint}", listeners)
    else:
        require(
            not broker,
            "The listeners config must only contain KRaft controller listeners from controller.listener.names when "
            "process.roles=controller",
            listeners,
        )


def _inter_broker(config: BrokerConfig, protocols: dict[str, SecurityProtocol], names: list[str]) -> str:
    key = "inter.broker.listener.name"
    name = config.optional_text(key)
    if name is None:
        # By protocol, unless that would leave a lone listener of another name unusable.
        by_protocol = config.text("security.inter.broker.protocol")
        chosen = by_protocol if "security.inter.broker.protocol" in config.written or by_protocol in names else names[0]
    else:
        chosen = name.upper()
        require(
            "security.inter.broker.protocol" not in config.written,
            f"Only one of {key} and security.inter.broker.protocol should be set.",
            key,
        )
        require(
            chosen in protocols,
            f"Listener with name {chosen} defined in {key} not found in listener.security.protocol.map.",
            key,
        )
    require(
        chosen in names,
        f"{key} must be a listener name defined in advertised.listeners. "
        f"The valid options based on currently configured listeners are {','.join(names)}",
        key,
    )
    return chosen


def _check_quorum(
    config: BrokerConfig, voters: tuple[Voter, ...], servers: tuple[str, ...], is_broker: bool, is_controller: bool
) -> None:
    key = "controller.quorum.voters"
    ids = {voter.id for voter in voters}
    shown = ",".join(sorted(config.words(key)))
    if is_controller:
        require(
            not ids or config.node_id in ids,
            f"If process.roles contains the 'controller' role, the node id {config.node_id} must be included in the "
            f"set of voters {key}={shown}",
            key,
        )
        require(
            bool(ids) or bool(servers) or is_broker,
            "If using process.roles, either controller.quorum.bootstrap.servers must contain the set of bootstrap "
            f"controllers or {key} must contain a parseable set of controllers.",
            key,
        )
        return
    require(
        config.node_id not in ids,
        f"If process.roles contains just the 'broker' role, the node id {config.node_id} must not be included in the "
        f"set of voters {key}={shown}",
        key,
    )
    require(
        bool(ids) or bool(servers),
        "If using process.roles, either controller.quorum.bootstrap.servers must contain the set of bootstrap "
        f"controllers or {key} must contain a parseable set of controllers.",
        key,
    )
    require(
        not config.boolean("controller.quorum.auto.join.enable"),
        "controller.quorum.auto.join.enable is only supported when process.roles contains the 'controller' role.",
        "controller.quorum.auto.join.enable",
    )


def _check_connections(config: BrokerConfig, listeners: Listeners) -> None:
    if listeners.inter_broker is not None and listeners.protocols[listeners.inter_broker].name.startswith("SASL"):
        mechanism = config.text("sasl.mechanism.inter.broker.protocol")
        enabled = config.listener_value(listeners.inter_broker, "sasl.enabled.mechanisms")
        require(
            isinstance(enabled, tuple) and mechanism in enabled,
            "sasl.mechanism.inter.broker.protocol must be included in sasl.enabled.mechanisms when SASL is used for "
            "inter-broker communication",
            "sasl.mechanism.inter.broker.protocol",
        )
    queued = config.integer("queued.max.request.bytes")
    require(
        queued <= 0 or queued >= config.integer("socket.request.max.bytes"),
        "queued.max.request.bytes must be larger or equal to socket.request.max.bytes",
        "queued.max.request.bytes",
    )
    require(
        config.integer("max.connections.per.ip") != 0 or bool(config.text("max.connections.per.ip.overrides")),
        "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set.",
        "max.connections.per.ip",
    )
    delay_ms = config.integer("connection.failed.authentication.delay.ms")
    idle_ms = config.integer("connections.max.idle.ms")
    require(
        idle_ms < 0 or delay_ms < idle_ms,
        f"connection.failed.authentication.delay.ms={delay_ms} should always be less than connections.max.idle.ms="
        f"{idle_ms} to prevent failed authentication responses from timing out",
        "connection.failed.authentication.delay.ms",
    )

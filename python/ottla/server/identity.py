"""Who a broker is: what its directory says, and what it tells the cluster of itself.

Prior art: Kafka's ``MetaPropertiesEnsemble`` and ``StorageTool format``. Ours has one directory, and formats it at the
first start when it is empty; what is not empty and not ours is left alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ottla.controller.cluster import ControllerRegistration, Registration
from ottla.controller.format import META_PROPERTIES, MetaProperties, decode_meta, encode_meta
from ottla.ids import DirectoryId, random_uuid, uuid_from_text, uuid_text
from ottla.raft.voters import ReplicaKey, Voter, VoterEndpoint

if TYPE_CHECKING:
    from ottla.config.listeners import Listeners
    from ottla.config.node import Node
    from ottla.dataplane.plane import Plane
    from ottla.server.listener import BoundListener

__all__ = ["KRAFT_VERSION", "DataDirectoryError", "identify", "reachable", "registrations", "voter_of"]

KRAFT_VERSION: Final = 1
"""Of directories formatted here: voters are kept in the log (KIP-853)."""
_OWN_AT_START: Final = frozenset({".headroom", ".lock", "lost+found"})


class DataDirectoryError(Exception):
    """The data directory cannot be used as it is; the message says why and what to do."""


def identify(plane: Plane, data_dir: Path, node_id: int, wall_ms: int) -> tuple[MetaProperties, bool]:
    """Whose directory it is, and whether it was formatted now, because it was empty. Blocks for two small files, before
    anything else runs. Raises ``DataDirectoryError``."""
    content = plane.read_file(META_PROPERTIES)
    path = str(data_dir / META_PROPERTIES)
    if content is not None:
        meta = decode_meta(content.decode("utf-8", "replace"), path)
        if meta.node_id != node_id:
            raise DataDirectoryError(
                f"{path} belongs to node {meta.node_id}, this is node {node_id}: "
                "set node.id, or use another data directory"
            )
        return meta, False
    foreign = sorted(entry.name for entry in data_dir.iterdir() if entry.name not in _OWN_AT_START)
    if foreign:
        shown = ", ".join(foreign[:5])
        raise DataDirectoryError(
            f"{data_dir} has no {META_PROPERTIES} and is not empty ({shown}): it is no data directory of a broker; "
            "choose an empty or a new one with --data-dir"
        )
    cluster_id = uuid_text(random_uuid(os.urandom))
    meta = MetaProperties(cluster_id, node_id, DirectoryId(random_uuid(os.urandom)))
    written = time.strftime("%a %b %d %H:%M:%S UTC %Y", time.gmtime(wall_ms / 1000))
    plane.write_file(META_PROPERTIES, encode_meta(meta, written).encode())
    return meta, True


def reachable(host: str) -> str:
    """Where a client on this machine finds a listener that is bound to ``host``."""
    return {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


def voter_of(meta: MetaProperties, listeners: Listeners) -> Voter:
    """This node in the quorum of the metadata log."""
    key = ReplicaKey(meta.node_id, uuid_from_text(uuid_text(meta.directory_id)))
    if listeners.controller:
        endpoints = tuple(VoterEndpoint(end.listener, reachable(end.host), end.port) for end in listeners.controller)
    else:
        # Nobody connects: the controller is in this process. A voter must have an endpoint all the same.
        endpoints = (VoterEndpoint(listeners.controller_names[0], "localhost", 0),)
    return Voter(key, endpoints, 0, KRAFT_VERSION)


def registrations(
    meta: MetaProperties, node: Node, bound: Sequence[BoundListener], clean_broker_epoch: int
) -> tuple[Registration, ControllerRegistration]:
    """What this node says of itself as a broker, with the epoch of its last life when that ended well, and as a
    controller."""
    told, protocols = node.listeners.advertised, node.listeners.protocols
    endpoints = tuple(
        (end.listener, end.host, end.port, int(end.protocol))
        if (end := told.get(each.name)) is not None
        else (each.name, reachable(each.host), each.port, int(protocols[each.name]))
        for each in bound
    )
    controllers = tuple(
        (end.listener, end.host, end.port, int(protocols[end.listener]))
        for end in voter_of(meta, node.listeners).endpoints
    )
    broker = Registration(
        broker_id=meta.node_id,
        incarnation_id=random_uuid(os.urandom),
        endpoints=endpoints,
        directory_ids=(meta.directory_id,),
        rack=node.rack,
        previous_epoch=clean_broker_epoch,
    )
    return broker, ControllerRegistration(meta.node_id, random_uuid(os.urandom), controllers)

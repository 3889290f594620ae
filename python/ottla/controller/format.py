"""A new directory, as Kafka 4.4 formats one for a node that is its own whole quorum: identity and bootstrap snapshot.

Prior art: ``kafka-storage format --standalone`` (``org.apache.kafka.metadata.storage.Formatter``, KIP-853, KIP-1170).
It makes two files: ``meta.properties`` and the snapshot 0-0 with the voters and the feature levels. Pure: what is
written is returned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, final

from ottla.ids import DirectoryId, is_reserved, uuid_from_text, uuid_text
from ottla.metadata.features import BOOTSTRAP_LEVELS, bootstrap_records
from ottla.metadata.image import METADATA_VERSION
from ottla.raft.log import Batch
from ottla.raft.snapshot import BOOTSTRAP_SNAPSHOT, RecordCodec, snapshot_batches
from ottla.raft.voters import Voter, VoterSet

__all__ = [
    "META_PROPERTIES",
    "MetaProperties",
    "MetaPropertiesError",
    "bootstrap_batches",
    "decode_meta",
    "encode_meta",
]

META_PROPERTIES: Final = "meta.properties"
_VERSION: Final = "1"


class MetaPropertiesError(Exception):
    """A meta.properties that cannot be read as one, or is of the wrong version."""


@final
class MetaProperties(NamedTuple):
    """Whose directory it is."""

    cluster_id: str
    node_id: int
    directory_id: DirectoryId


def bootstrap_batches(local: Voter, codec: RecordCodec, now_ms: int) -> Iterable[Batch]:
    """The content of the snapshot 0-0 of a new directory; to be written under ``BOOTSTRAP_SNAPSHOT``."""
    level = BOOTSTRAP_LEVELS[METADATA_VERSION]
    values = [codec.encode(record, level) for record in bootstrap_records()]
    return snapshot_batches(BOOTSTRAP_SNAPSHOT, now_ms, now_ms, (1, VoterSet([local])), [values])


def encode_meta(meta: MetaProperties, written: str) -> str:
    """The file's text. ``written`` is the date in its comment, as Java writes it: ``Sat Nov 21 09:22:58 UTC 2026``."""
    return (
        f"#\n#{written}\ncluster.id={meta.cluster_id}\ndirectory.id={uuid_text(meta.directory_id)}\n"
        f"node.id={meta.node_id}\nversion={_VERSION}\n"
    )


def decode_meta(text: str, path: str) -> MetaProperties:
    """What the file says; MetaPropertiesError, naming ``path``, when it is not one of a KRaft node."""
    properties = _parse(text)
    version = properties.get("version")
    if version != _VERSION:
        raise MetaPropertiesError(f"{path}: version is {version}, 1 is expected (0 is of the time of ZooKeeper)")
    try:
        directory_id = DirectoryId(uuid_from_text(properties["directory.id"]))
        meta = MetaProperties(properties["cluster.id"], int(properties["node.id"]), directory_id)
    except KeyError as error:
        raise MetaPropertiesError(f"{path}: {error.args[0]} is missing") from None
    except ValueError as error:
        raise MetaPropertiesError(f"{path}: {error}") from None
    if is_reserved(directory_id):
        raise MetaPropertiesError(f"{path}: directory.id {properties['directory.id']} is reserved")
    return meta


def _parse(text: str) -> Mapping[str, str]:
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if line and line[0] not in "#!")
    return {name.strip(): value.strip().replace("\\:", ":").replace("\\=", "=") for name, _, value in pairs}

"""``__share_group_state``: what the share coordinator remembers (KIP-932).

Framed as ``__consumer_offsets``. A snapshot is followed by updates that name its epoch.
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int8, Int16, Int32, Int64, String, Uuid, message, struct


@message(api_key=0, valid="0")
class ShareSnapshotKey:
    group_id: str = String("0")
    topic_id: bytes = Uuid("0")
    partition: int = Int32("0")


@struct
class StateBatch:
    first_offset: int = Int64("0+")
    last_offset: int = Int64("0+")
    delivery_state: int = Int8("0+")
    delivery_count: int = Int16("0+")


@message(api_key=0, valid="0", flexible="0+")
class ShareSnapshotValue:
    """The whole state of a share partition."""

    snapshot_epoch: int = Int32("0+")
    state_epoch: int = Int32("0+")
    leader_epoch: int = Int32("0+")
    start_offset: int = Int64("0+")
    delivery_complete_count: int = Int32("0+", default=-1, tag=0, tagged="0+")
    create_timestamp: int = Int64("0+")
    write_timestamp: int = Int64("0+")
    state_batches: tuple[StateBatch, ...] = Array(StateBatch, "0+")


@message(api_key=1, valid="0")
class ShareUpdateKey:
    group_id: str = String("0")
    topic_id: bytes = Uuid("0")
    partition: int = Int32("0")


@message(api_key=1, valid="0", flexible="0+")
class ShareUpdateValue:
    """What changed in a share partition since its snapshot."""

    snapshot_epoch: int = Int32("0+")
    leader_epoch: int = Int32("0+")
    start_offset: int = Int64("0+")
    delivery_complete_count: int = Int32("0+", default=-1, tag=0, tagged="0+")
    state_batches: tuple[StateBatch, ...] = Array(StateBatch, "0+")

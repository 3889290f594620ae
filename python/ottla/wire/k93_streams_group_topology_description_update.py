"""StreamsGroupTopologyDescriptionUpdate (93): a member of a streams group describes its topology for people to look at.

v0 (KIP-1331). UNSUPPORTED_VERSION where nothing takes the description.
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int8, Int16, Int32, Name, String, Struct, message, struct


@struct
class TopologyDescriptionNode:
    name: str = String("0+")
    node_type: int = Int8("0+")
    source_topics: tuple[str, ...] = Array(Name(), "0+")
    sink_topic: str | None = Name("0+", default=None, nullable="0+")
    stores: tuple[str, ...] = Array(String(), "0+")
    successors: tuple[str, ...] = Array(String(), "0+")


@struct
class TopologyDescriptionSubtopology:
    subtopology_id: str = String("0+")
    nodes: tuple[TopologyDescriptionNode, ...] = Array(TopologyDescriptionNode, "0+")


@struct
class TopologyDescriptionGlobalStore:
    source: TopologyDescriptionNode = Struct(TopologyDescriptionNode, "0+")
    processor: TopologyDescriptionNode = Struct(TopologyDescriptionNode, "0+")


@struct
class TopologyDescription:
    subtopologies: tuple[TopologyDescriptionSubtopology, ...] = Array(TopologyDescriptionSubtopology, "0+")
    global_stores: tuple[TopologyDescriptionGlobalStore, ...] = Array(TopologyDescriptionGlobalStore, "0+")


@message(api_key=93, valid="0", flexible="0+", listeners="broker")
class StreamsGroupTopologyDescriptionUpdateRequest:
    group_id: str = String("0+")
    member_id: str = String("0+")
    topology_epoch: int = Int32("0+")
    topology_description: TopologyDescription = Struct(TopologyDescription, "0+")


@message(api_key=93, valid="0", flexible="0+")
class StreamsGroupTopologyDescriptionUpdateResponse:
    throttle_time_ms: int = Int32("0+")
    error_code: int = Int16("0+")
    error_message: str | None = String("0+", default=None, nullable="0+")

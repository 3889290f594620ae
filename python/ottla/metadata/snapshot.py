"""An image as the records that make it: what a snapshot holds, in Kafka's order.

Prior art: ``MetadataImage.write``: features (metadata.version first), brokers, controllers, topics with their
partitions, configs, client quotas, producer ids, ACLs, SCRAM credentials, delegation tokens. Ours sorts within each, so
that the same image is the same bytes. Lazy: nothing the size of the cluster is made at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from ottla.metadata.image import METADATA_VERSION, Image, Partition
from ottla.records import cluster_metadata as r

__all__ = ["RECORDS_PER_BATCH", "chunks", "image_records", "partition_record"]

RECORDS_PER_BATCH: Final = 1_024
"""``RaftSnapshotWriter``'s batch size."""


def image_records(image: Image) -> Iterator[object]:
    """Records that, replayed on an empty image, give this one."""
    levels = dict(image.features)
    if (metadata_version := levels.pop(METADATA_VERSION, None)) is not None:
        yield r.FeatureLevelRecord(name=METADATA_VERSION, feature_level=metadata_version)
    for name in sorted(levels):
        yield r.FeatureLevelRecord(name=name, feature_level=levels[name])
    for broker_id in sorted(image.brokers):
        yield image.brokers[broker_id]
    for controller_id in sorted(image.controllers):
        yield image.controllers[controller_id]
    for name in sorted(image.topics.id_of):
        topic = image.topics.by_id[image.topics.id_of[name]]
        yield r.TopicRecord(name=name, topic_id=topic.topic_id)
        for index, partition in enumerate(topic.partitions):
            yield partition_record(topic.topic_id, index, partition)
    for (kind, resource), values in sorted(image.configs.items(), key=lambda item: item[0]):
        for name in sorted(values):
            yield r.ConfigRecord(resource_type=kind, resource_name=resource, name=name, value=values[name])
    yield from _quotas(image)
    if image.next_producer_id > 0:
        yield r.ProducerIdsRecord(broker_id=-1, broker_epoch=-1, next_producer_id=image.next_producer_id)
    for acl_id in sorted(image.acls):
        yield image.acls[acl_id]
    for key in sorted(image.scram):
        yield image.scram[key]
    for token_id in sorted(image.delegation_tokens):
        yield image.delegation_tokens[token_id]


def _quotas(image: Image) -> Iterator[r.ClientQuotaRecord]:
    for entity in sorted(image.client_quotas, key=repr):
        parts = tuple(r.EntityData(entity_type=kind, entity_name=name) for kind, name in entity)
        for key, value in sorted(image.client_quotas[entity].items()):
            yield r.ClientQuotaRecord(entity=parts, key=key, value=value, remove=False)


def partition_record(topic_id: bytes, index: int, partition: Partition) -> r.PartitionRecord:
    """The record that makes a partition as it is."""
    replicas, isr, removing, adding, leader, recovery, leader_epoch, epoch, directories, elr, last_known = partition
    return r.PartitionRecord(
        partition_id=index,
        topic_id=topic_id,
        replicas=replicas,
        isr=isr,
        removing_replicas=removing,
        adding_replicas=adding,
        leader=leader,
        leader_recovery_state=recovery,
        leader_epoch=leader_epoch,
        partition_epoch=epoch,
        directories=directories,
        eligible_leader_replicas=elr or None,
        last_known_elr=last_known or None,
    )


def chunks(values: Iterable[bytes], records_max: int, bytes_max: int) -> Iterator[Sequence[bytes]]:
    """Cut into batches of at most so many records and bytes."""
    chunk: list[bytes] = []
    size = 0
    for value in values:
        if chunk and (len(chunk) == records_max or size + len(value) > bytes_max):
            yield chunk
            chunk, size = [], 0
        chunk.append(value)
        size += len(value)
    if chunk:
        yield chunk

"""What a run of metadata records changes: built record by record on an image, applied at once, asked by publishers.

Prior art: Kafka's ``MetadataDelta`` and its eight parts. Ours is one class with one method per record, the only code
that changes metadata: at the moment the controller emits, when the log is replayed, when a snapshot is read.

Invariants: the image below is never changed; a topic's partitions are copied once per delta, when first touched; an
impossible record (an unknown topic, a gap between partitions) raises MetadataError, because going on would serve a lie.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, final

from ottla.ids import DIRECTORY_MIGRATING, uuid_text
from ottla.metadata.image import (
    ELIGIBLE_LEADER_REPLICAS,
    LAST_KNOWN_ELR,
    RESOURCE_TOPIC,
    ConfigKey,
    Image,
    Partition,
    Provenance,
    QuotaEntity,
    Topic,
    Topics,
)
from ottla.records import cluster_metadata as r
from ottla.wire.schema import replace

__all__ = ["Delta", "MetadataError", "TopicDelta"]

NO_LEADER_CHANGE: Final = -2
_NO_CHANGE: Final = -1


class MetadataError(Exception):
    """The metadata log says something that cannot be: it is damaged, or this is our bug."""


@final
class TopicDelta:
    """A topic that is new or of which partitions changed."""

    __slots__ = ("_partitions", "before", "changed", "name", "topic_id")

    def __init__(self, topic_id: bytes, name: str, before: Topic | None) -> None:
        self.topic_id = topic_id
        self.name = name
        self.before = before
        """None when the topic is new."""
        self.changed: dict[int, None] = {}
        """Partitions touched, in the order they were first touched."""
        self._partitions: dict[int, Partition] = {} if before is None else dict(enumerate(before.partitions))

    def get(self, partition: int) -> Partition:
        """The partition as it is now; MetadataError if there is none."""
        try:
            return self._partitions[partition]
        except KeyError:
            raise MetadataError(f"topic {self.name} has no partition {partition}") from None

    def set(self, partition: int, value: Partition) -> None:
        self._partitions[partition] = value
        self.changed[partition] = None

    def __len__(self) -> int:
        return len(self._partitions)

    def topic(self) -> Topic:
        """The topic as it is now."""
        partitions = self._partitions
        try:
            return Topic(self.topic_id, self.name, tuple([partitions[index] for index in range(len(partitions))]))
        except KeyError as error:
            raise MetadataError(
                f"topic {self.name} has {len(partitions)} partitions but none numbered {error}"
            ) from None


@final
class Delta:
    """Changes on top of ``before``. ``replay`` records, then ``apply``."""

    def __init__(self, before: Image) -> None:
        self.before = before
        self.topics: dict[bytes, TopicDelta] = {}
        self.removed_topics: dict[bytes, Topic] = {}
        """Topics of ``before`` that are gone."""
        self.configs: dict[ConfigKey, dict[str, str]] = {}
        """Every resource touched, with all its values."""
        self.changed_brokers: set[int] = set()
        self._ids: dict[str, bytes | None] = {}
        self._features: dict[str, int] | None = None
        self._brokers: dict[int, r.RegisterBrokerRecord] | None = None
        self._controllers: dict[int, r.RegisterControllerRecord] | None = None
        self._quotas: dict[QuotaEntity, dict[str, float]] | None = None
        self._next_producer_id: int | None = None
        self._acls: dict[bytes, r.AccessControlEntryRecord | None] = {}
        self._scram: dict[tuple[int, str], r.UserScramCredentialRecord] | None = None
        self._tokens: dict[str, r.DelegationTokenRecord] | None = None

    @property
    def features_changed(self) -> bool:
        """Was a feature level set?"""
        return self._features is not None

    def replay(self, record: object) -> None:
        """Take one record. Transaction markers are not for here: see ``transactions``."""
        try:
            _REPLAY[type(record)](self, record)
        except KeyError:
            if type(record) in _REPLAY:
                raise
            raise MetadataError(f"no metadata record is a {type(record).__name__}") from None

    def replay_all(self, records: Iterable[object]) -> None:
        """Take records in order."""
        for record in records:
            self.replay(record)

    def apply(self, provenance: Provenance) -> Image:
        """The image after these records, of which the last is named by ``provenance``."""
        before = self.before
        return Image(
            provenance=provenance,
            features=before.features if self._features is None else self._features,
            brokers=before.brokers if self._brokers is None else self._brokers,
            controllers=before.controllers if self._controllers is None else self._controllers,
            topics=self._apply_topics(),
            configs=before.configs.changed({key: values or None for key, values in self.configs.items()}),
            client_quotas=before.client_quotas if self._quotas is None else self._quotas,
            next_producer_id=before.next_producer_id if self._next_producer_id is None else self._next_producer_id,
            acls=before.acls.changed(self._acls),
            scram=before.scram if self._scram is None else self._scram,
            delegation_tokens=before.delegation_tokens if self._tokens is None else self._tokens,
        )

    def _apply_topics(self) -> Topics:
        before = self.before.topics
        if not self.topics and not self.removed_topics:
            return before
        by_id: dict[bytes, Topic | None] = dict.fromkeys(self.removed_topics)
        for topic_id, delta in self.topics.items():
            by_id[topic_id] = delta.topic()
        similar: dict[str, frozenset[str] | None] = {}
        for name, topic_id_or_none in self._ids.items():
            if "." in name or "_" in name:
                key = name.replace(".", "_")
                names = similar.get(key) or (
                    before.similar.get(key, frozenset()) if key not in similar else frozenset()
                )
                names = names - {name} if topic_id_or_none is None else names | {name}
                similar[key] = names or None
        return Topics(before.by_id.changed(by_id), before.id_of.changed(self._ids), before.similar.changed(similar))

    def _topic(self, topic_id: bytes) -> TopicDelta:
        delta = self.topics.get(topic_id)
        if delta is None:
            topic = None if topic_id in self.removed_topics else self.before.topics.by_id.get(topic_id)
            if topic is None:
                raise MetadataError(f"there is no topic with id {uuid_text(topic_id)}")
            delta = self.topics[topic_id] = TopicDelta(topic_id, topic.name, topic)
        return delta

    def _config(self, key: ConfigKey) -> dict[str, str]:
        values = self.configs.get(key)
        if values is None:
            values = self.configs[key] = dict(self.before.config(*key))
        return values

    def _writable_brokers(self, broker_id: int) -> dict[int, r.RegisterBrokerRecord]:
        if self._brokers is None:
            self._brokers = dict(self.before.brokers)
        self.changed_brokers.add(broker_id)
        return self._brokers

    def _change_broker(self, broker_id: int, epoch: int, **changes: Any) -> None:
        brokers = self._writable_brokers(broker_id)
        broker = brokers.get(broker_id)
        if broker is None:
            raise MetadataError(f"a change of broker {broker_id}, which is not registered")
        if broker.broker_epoch != epoch:
            raise MetadataError(f"a change of broker {broker_id} in epoch {epoch}, which is in {broker.broker_epoch}")
        brokers[broker_id] = replace(broker, **changes)

    # topics

    def _topic_record(self, record: r.TopicRecord) -> None:
        if record.topic_id in self.topics:
            raise MetadataError(f"topic id {uuid_text(record.topic_id)} is used twice")
        self.topics[record.topic_id] = TopicDelta(record.topic_id, record.name, None)
        self._ids[record.name] = record.topic_id

    def _partition_record(self, record: r.PartitionRecord) -> None:
        delta = self.topics.get(record.topic_id) or self._topic(record.topic_id)
        replicas = tuple(record.replicas)
        delta.set(
            record.partition_id,
            (
                replicas,
                tuple(record.isr),
                tuple(record.removing_replicas),
                tuple(record.adding_replicas),
                record.leader,
                record.leader_recovery_state,
                record.leader_epoch,
                record.partition_epoch,
                tuple(record.directories) or (DIRECTORY_MIGRATING,) * len(replicas),
                tuple(record.eligible_leader_replicas or ()),
                tuple(record.last_known_elr or ()),
            ),
        )

    def _partition_change(self, record: r.PartitionChangeRecord) -> None:
        delta = self._topic(record.topic_id)
        delta.set(record.partition_id, merge(delta.get(record.partition_id), record))

    def _remove_topic(self, record: r.RemoveTopicRecord) -> None:
        delta = self._topic(record.topic_id)
        del self.topics[record.topic_id]
        if delta.before is not None:
            self.removed_topics[record.topic_id] = delta.before
        self._ids[delta.name] = None
        if self._config((RESOURCE_TOPIC, delta.name)):
            self.configs[RESOURCE_TOPIC, delta.name] = {}

    def _clear_elr(self, record: r.ClearElrRecord) -> None:
        if record.topic_name:
            topic_id = self._ids.get(record.topic_name, self.before.topics.id_of.get(record.topic_name))
            if topic_id is None:
                raise MetadataError(f"there is no topic named {record.topic_name}")
            topic_ids = [topic_id]
        else:
            topic_ids = [*self.topics, *(i for i in self.before.topics.by_id if i not in self.removed_topics)]
        for topic_id in topic_ids:
            known = self.topics.get(topic_id)
            partitions = self.before.topics.by_id[topic_id].partitions if known is None else known.topic().partitions
            for index, partition in enumerate(partitions):
                if partition[ELIGIBLE_LEADER_REPLICAS] or partition[LAST_KNOWN_ELR]:
                    self._partition_change(
                        r.PartitionChangeRecord(
                            partition_id=index, topic_id=topic_id, eligible_leader_replicas=(), last_known_elr=()
                        )
                    )

    # configs, features, producer ids

    def _config_record(self, record: r.ConfigRecord) -> None:
        values = self._config((record.resource_type, record.resource_name))
        if record.value is None:
            values.pop(record.name, None)
        else:
            values[record.name] = record.value

    def _feature_level(self, record: r.FeatureLevelRecord) -> None:
        if self._features is None:
            self._features = dict(self.before.features)
        if record.feature_level == 0:
            self._features.pop(record.name, None)
        else:
            self._features[record.name] = record.feature_level

    def _producer_ids(self, record: r.ProducerIdsRecord) -> None:
        self._next_producer_id = record.next_producer_id

    # brokers and controllers

    def _register_broker(self, record: r.RegisterBrokerRecord) -> None:
        self._writable_brokers(record.broker_id)[record.broker_id] = record

    def _unregister_broker(self, record: r.UnregisterBrokerRecord) -> None:
        self._writable_brokers(record.broker_id).pop(record.broker_id, None)

    def _fence_broker(self, record: r.FenceBrokerRecord) -> None:
        self._change_broker(record.id, record.epoch, fenced=True)

    def _unfence_broker(self, record: r.UnfenceBrokerRecord) -> None:
        self._change_broker(record.id, record.epoch, fenced=False)

    def _broker_change(self, record: r.BrokerRegistrationChangeRecord) -> None:
        changes: dict[str, Any] = {}
        if record.fenced:
            changes["fenced"] = record.fenced > 0
        if record.in_controlled_shutdown:
            changes["in_controlled_shutdown"] = record.in_controlled_shutdown > 0
        if record.log_dirs:
            changes["log_dirs"] = record.log_dirs
        if record.cordoned_log_dirs is not None:
            changes["cordoned_log_dirs"] = record.cordoned_log_dirs
        self._change_broker(record.broker_id, record.broker_epoch, **changes)

    def _register_controller(self, record: r.RegisterControllerRecord) -> None:
        self._controllers = {**(self._controllers or self.before.controllers), record.controller_id: record}

    def _unregister_controller(self, record: r.UnregisterControllerRecord) -> None:
        controllers = dict(self.before.controllers if self._controllers is None else self._controllers)
        controllers.pop(record.controller_id, None)
        self._controllers = controllers

    # security and quotas: carried, so that a directory of Kafka loses nothing

    def _client_quota(self, record: r.ClientQuotaRecord) -> None:
        if self._quotas is None:
            self._quotas = {entity: dict(limits) for entity, limits in self.before.client_quotas.items()}
        entity = tuple(sorted((part.entity_type, part.entity_name) for part in record.entity))
        limits = self._quotas.setdefault(entity, {})
        if record.remove:
            limits.pop(record.key, None)
        else:
            limits[record.key] = record.value
        if not limits:
            del self._quotas[entity]

    def _acl(self, record: r.AccessControlEntryRecord) -> None:
        self._acls[record.id] = record

    def _remove_acl(self, record: r.RemoveAccessControlEntryRecord) -> None:
        self._acls[record.id] = None

    def _scram_credential(self, record: r.UserScramCredentialRecord) -> None:
        self._scram = {**(self.before.scram if self._scram is None else self._scram)}
        self._scram[record.mechanism, record.name] = record

    def _remove_scram_credential(self, record: r.RemoveUserScramCredentialRecord) -> None:
        self._scram = {**(self.before.scram if self._scram is None else self._scram)}
        self._scram.pop((record.mechanism, record.name), None)

    def _token(self, record: r.DelegationTokenRecord) -> None:
        self._tokens = {**(self.before.delegation_tokens if self._tokens is None else self._tokens)}
        self._tokens[record.token_id] = record

    def _remove_token(self, record: r.RemoveDelegationTokenRecord) -> None:
        self._tokens = {**(self.before.delegation_tokens if self._tokens is None else self._tokens)}
        self._tokens.pop(record.token_id, None)

    def _nothing(self, record: object) -> None:
        pass


def merge(partition: Partition, change: r.PartitionChangeRecord) -> Partition:
    """The partition after the change: the partition epoch always rises, the leader epoch whenever a leader is named
    (``PartitionRegistration.merge``)."""
    replicas, isr, removing, adding, leader, recovery, leader_epoch, epoch, directories, elr, last_known = partition
    if change.leader != NO_LEADER_CHANGE:
        leader = change.leader
        leader_epoch += 1
    return (
        replicas if change.replicas is None else tuple(change.replicas),
        isr if change.isr is None else tuple(change.isr),
        removing if change.removing_replicas is None else tuple(change.removing_replicas),
        adding if change.adding_replicas is None else tuple(change.adding_replicas),
        leader,
        recovery if change.leader_recovery_state == _NO_CHANGE else change.leader_recovery_state,
        leader_epoch,
        epoch + 1,
        directories if change.directories is None else tuple(change.directories),
        elr if change.eligible_leader_replicas is None else tuple(change.eligible_leader_replicas),
        last_known if change.last_known_elr is None else tuple(change.last_known_elr),
    )


_REPLAY: Final[Mapping[type, Callable[[Delta, Any], None]]] = {
    r.TopicRecord: Delta._topic_record,
    r.PartitionRecord: Delta._partition_record,
    r.PartitionChangeRecord: Delta._partition_change,
    r.RemoveTopicRecord: Delta._remove_topic,
    r.ClearElrRecord: Delta._clear_elr,
    r.ConfigRecord: Delta._config_record,
    r.FeatureLevelRecord: Delta._feature_level,
    r.ProducerIdsRecord: Delta._producer_ids,
    r.RegisterBrokerRecord: Delta._register_broker,
    r.UnregisterBrokerRecord: Delta._unregister_broker,
    r.FenceBrokerRecord: Delta._fence_broker,
    r.UnfenceBrokerRecord: Delta._unfence_broker,
    r.BrokerRegistrationChangeRecord: Delta._broker_change,
    r.RegisterControllerRecord: Delta._register_controller,
    r.UnregisterControllerRecord: Delta._unregister_controller,
    r.ClientQuotaRecord: Delta._client_quota,
    r.AccessControlEntryRecord: Delta._acl,
    r.RemoveAccessControlEntryRecord: Delta._remove_acl,
    r.UserScramCredentialRecord: Delta._scram_credential,
    r.RemoveUserScramCredentialRecord: Delta._remove_scram_credential,
    r.DelegationTokenRecord: Delta._token,
    r.RemoveDelegationTokenRecord: Delta._remove_token,
    r.NoOpRecord: Delta._nothing,
    r.ZkMigrationStateRecord: Delta._nothing,
}

"""Random histories of metadata records, as a controller might write them."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from ottla.metadata.delta import Delta
from ottla.metadata.image import REPLICAS, Image, Provenance, Topic
from ottla.records import cluster_metadata as r

BROKERS = (1, 2, 3)


class Script:
    """Draws records that are possible after those drawn before."""

    def __init__(self, draw: Callable[[st.SearchStrategy[object]], object]) -> None:
        self._draw = draw
        self.image = Image()
        self.records: list[object] = []

    def pick(self, count: int) -> int:
        value = self._draw(st.integers(0, count - 1))
        assert isinstance(value, int)
        return value

    def emit(self, *records: object) -> None:
        delta = Delta(self.image)
        delta.replay_all(records)
        self.image = delta.apply(Provenance(len(self.records)))
        self.records += records

    def step(self) -> None:
        topics = sorted(self.image.topics.by_id.values(), key=lambda topic: topic.name)
        steps = [self.create_topic, self.config, self.broker, self.other]
        if topics:
            topic = topics[self.pick(len(topics))]
            steps += [
                lambda: self.change_partition(topic),
                lambda: self.add_partition(topic),
                lambda: self.emit(r.RemoveTopicRecord(topic_id=topic.topic_id)),
                lambda: self.emit(r.ClearElrRecord(topic_name=(topic.name, "")[self.pick(2)])),
            ]
        steps[self.pick(len(steps))]()

    def create_topic(self) -> None:
        name = ("a", "b.c", "b_c", "d_e_f", "__consumer_offsets")[self.pick(5)]
        if name in self.image.topics.id_of:
            return
        topic_id = len(self.records).to_bytes(16, "big")
        topic = r.TopicRecord(name=name, topic_id=topic_id)
        self.emit(topic, *(self.partition(topic_id, index) for index in range(1 + self.pick(3))))

    def partition(self, topic_id: bytes, index: int) -> r.PartitionRecord:
        replicas = BROKERS[: 1 + self.pick(3)]
        return r.PartitionRecord(
            partition_id=index,
            topic_id=topic_id,
            replicas=replicas,
            isr=replicas,
            leader=replicas[0],
            leader_epoch=0,
            partition_epoch=0,
            directories=tuple(bytes([broker]) * 16 for broker in replicas),
        )

    def add_partition(self, topic: Topic) -> None:
        self.emit(self.partition(topic.topic_id, len(topic.partitions)))

    def change_partition(self, topic: Topic) -> None:
        index = self.pick(len(topic.partitions))
        replicas = topic.partitions[index][REPLICAS]
        leader = (-1, -2, *replicas)[self.pick(2 + len(replicas))]
        kept = replicas[: self.pick(len(replicas) + 1)]
        self.emit(
            r.PartitionChangeRecord(
                partition_id=index,
                topic_id=topic.topic_id,
                leader=leader,
                isr=(None, kept)[self.pick(2)],
                leader_recovery_state=(-1, 0, 1)[self.pick(3)],
                eligible_leader_replicas=(None, (), replicas)[self.pick(3)],
                last_known_elr=(None, (), replicas[:1])[self.pick(3)],
            )
        )

    def config(self) -> None:
        names = sorted(self.image.topics.id_of)
        resources = [(4, ""), (4, "1"), *((2, name) for name in names)]
        kind, name = resources[self.pick(len(resources))]
        value = (None, "1000", "2000")[self.pick(3)]
        key = ("min.insync.replicas", "log.retention.ms") if kind == 4 else ("retention.ms", "segment.ms")
        value = "1" if kind == 4 and value is not None else value
        self.emit(r.ConfigRecord(resource_type=kind, resource_name=name, name=key[self.pick(2)], value=value))

    def broker(self) -> None:
        broker_id = BROKERS[self.pick(3)]
        known = self.image.brokers.get(broker_id)
        if known is None:
            end = r.BrokerEndpoint(name="PLAINTEXT", host=f"host{broker_id}", port=9092, security_protocol=0)
            epoch = len(self.records)
            self.emit(r.RegisterBrokerRecord(broker_id=broker_id, broker_epoch=epoch, end_points=(end,), fenced=True))
        else:
            change = r.BrokerRegistrationChangeRecord(
                broker_id=broker_id, broker_epoch=known.broker_epoch, fenced=(-1, 0, 1)[self.pick(3)]
            )
            gone = r.UnregisterBrokerRecord(broker_id=broker_id, broker_epoch=known.broker_epoch)
            self.emit((change, change, gone)[self.pick(3)])

    def other(self) -> None:
        entity = (r.EntityData(entity_type="user", entity_name=(None, "alice")[self.pick(2)]),)
        quota = r.ClientQuotaRecord(entity=entity, key="producer_byte_rate", value=5.0, remove=self.pick(2) == 1)
        acl_id = bytes(15) + bytes([self.pick(3)])
        name = ("alice", "bob")[self.pick(2)]
        choices = (
            r.FeatureLevelRecord(name="metadata.version", feature_level=(30, 33)[self.pick(2)]),
            r.FeatureLevelRecord(name="group.version", feature_level=self.pick(2)),
            r.ProducerIdsRecord(broker_id=1, broker_epoch=0, next_producer_id=1000 * (1 + self.pick(3))),
            r.NoOpRecord(),
            quota,
            r.AccessControlEntryRecord(id=acl_id, resource_name="x", principal="User:alice", host="*"),
            r.RemoveAccessControlEntryRecord(id=acl_id),
            r.UserScramCredentialRecord(name=name, mechanism=1, salt=b"s", iterations=4096),
            r.RemoveUserScramCredentialRecord(name=name, mechanism=1),
            r.DelegationTokenRecord(owner=name, requester=name, token_id=name),
            r.RemoveDelegationTokenRecord(token_id=name),
            r.RegisterControllerRecord(controller_id=1, incarnation_id=acl_id),
            r.UnregisterControllerRecord(controller_id=1),
        )
        self.emit(choices[self.pick(len(choices))])


@st.composite
def histories(draw: st.DrawFn) -> list[object]:
    """Records in a possible order."""
    script = Script(draw)
    for _ in range(draw(st.integers(1, 40))):
        script.step()
    return script.records

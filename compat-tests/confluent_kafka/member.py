"""A member of a group with confluent-kafka (librdkafka)."""

from typing import Any, final

from compat_support.client import WAIT_S, Refused
from compat_support.groups import HEARTBEAT_S, SESSION_S, Delivered, Member, MemberOptions
from confluent_kafka import Consumer, KafkaError, TopicPartition

BATCH = 500


@final
class ConfluentMember:
    def __init__(self, bootstrap: str, options: MemberOptions) -> None:
        settings: dict[str, Any] = {
            "bootstrap.servers": bootstrap,
            "group.id": options.group,
            "group.protocol": options.protocol,
            "auto.offset.reset": options.start,
            "enable.auto.commit": options.auto_commit,
            "topic.metadata.refresh.interval.ms": 1000,
        }
        if options.protocol == "classic":
            settings["session.timeout.ms"] = int(SESSION_S * 1000)
            settings["heartbeat.interval.ms"] = int(HEARTBEAT_S * 1000)
        if options.cooperative:
            settings["partition.assignment.strategy"] = "cooperative-sticky"
        if options.instance is not None:
            settings["group.instance.id"] = options.instance
        self._topics = options.topics
        self._consumer = Consumer(settings)
        self._consumer.subscribe(list(options.topics))

    def poll(self, timeout_s: float) -> list[Delivered]:
        out: list[Delivered] = []
        for message in self._consumer.consume(BATCH, timeout_s):
            found: Any = message
            error = found.error()
            if error is None:
                out.append(Delivered(found.topic(), found.partition(), found.offset(), found.value()))
            elif not error.retriable() and error.code() not in (KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT):
                raise Refused(error.code(), error.str())
        return out

    def assigned(self) -> set[int]:
        return {place.partition for place in self._consumer.assignment() if place.topic == self._topics[0]}

    def commit(self) -> None:
        self._consumer.commit(asynchronous=False)

    def committed(self, partition: int) -> int | None:
        (found,) = self._consumer.committed([TopicPartition(self._topics[0], partition)], timeout=WAIT_S)
        return found.offset if found.offset >= 0 else None

    def close(self) -> None:
        self._consumer.close()


def join(bootstrap: str, options: MemberOptions) -> Member:
    return ConfluentMember(bootstrap, options)

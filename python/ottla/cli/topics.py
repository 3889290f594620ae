"""Create, list, describe and delete topics, add partitions."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from typing import Any, Final

from ottla.cli import output
from ottla.cli.client import (
    Client,
    Cluster,
    add_client_arguments,
    client_of,
    error_name,
    partitions_of,
    refusal,
)
from ottla.cli.errors import DONE, FAILED, CommandError, UsageError
from ottla.errors import ErrorCode
from ottla.ids import uuid_text
from ottla.wire.k02_list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from ottla.wire.k03_metadata import MetadataResponseTopic
from ottla.wire.k19_create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from ottla.wire.k20_delete_topics import DeleteTopicsRequest, DeleteTopicState
from ottla.wire.k32_describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from ottla.wire.k37_create_partitions import CreatePartitionsRequest, CreatePartitionsTopic

_TOPIC_RESOURCE: Final = 2
_TOPIC_SOURCE: Final = 1
_EARLIEST: Final = -2
_LATEST: Final = -1


def add_arguments(parser: ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    create = verbs.add_parser("create", help="create topics")
    create.add_argument("topics", nargs="+", metavar="TOPIC")
    create.add_argument("-p", "--partitions", type=int, default=-1, help="how many (what the broker is set to)")
    create.add_argument("-r", "--replication-factor", type=int, default=-1, help="copies of each (what it is set to)")
    create.add_argument(
        "-c", "--config", action="append", default=[], metavar="KEY=VALUE", help="a setting; repeatable"
    )
    create.add_argument("--if-not-exists", action="store_true", help="a topic that exists already is fine")
    listing = verbs.add_parser("list", help="list topics")
    listing.add_argument("--internal", action="store_true", help="internal topics, too")
    describe = verbs.add_parser("describe", help="partitions, replicas, offsets and settings of topics")
    describe.add_argument("topics", nargs="*", metavar="TOPIC", help="which (all that are not internal)")
    delete = verbs.add_parser("delete", help="delete topics and their records")
    delete.add_argument("topics", nargs="+", metavar="TOPIC")
    delete.add_argument("--if-exists", action="store_true", help="a topic that does not exist is fine")
    add = verbs.add_parser("add-partitions", help="raise the number of partitions of a topic")
    add.add_argument("topic", metavar="TOPIC")
    add.add_argument("total", type=int, metavar="TOTAL", help="how many it shall have")
    for verb in (create, listing, describe, delete, add):
        verb.add_argument("--json", action="store_true", help="one JSON object per topic and line")
        add_client_arguments(verb)


def run(args: Namespace) -> int:
    """Blocking. Raises `CommandError`."""
    with client_of(args) as client:
        return int(_VERBS[args.verb](client, args))


def _create(client: Client, args: Namespace) -> int:
    configs = tuple(CreatableTopicConfig(name=name, value=value) for name, value in map(_setting, args.config))
    topics = tuple(
        CreatableTopic(
            name=name, num_partitions=args.partitions, replication_factor=args.replication_factor, configs=configs
        )
        for name in dict.fromkeys(args.topics)
    )
    request = CreateTopicsRequest(topics=topics, timeout_ms=int(client.timeout_s * 1000))
    response = client.request(request, timeout_s=client.timeout_s)
    fine = {ErrorCode.NONE} | ({ErrorCode.TOPIC_ALREADY_EXISTS} if args.if_not_exists else set())
    results = [
        (
            result,
            {
                "topic": result.name,
                "created": result.error_code == ErrorCode.NONE,
                "id": uuid_text(result.topic_id),
                "partitions": result.num_partitions,
                "replication_factor": result.replication_factor,
            },
            f"created {result.name}: {_count(result.num_partitions, 'partition')}, "
            f"{_count(result.replication_factor, 'replica')} each",
        )
        for result in response.topics
    ]
    return _report(args, results, fine)


def _delete(client: Client, args: Namespace) -> int:
    names = tuple(dict.fromkeys(args.topics))
    request = DeleteTopicsRequest(
        topics=tuple(DeleteTopicState(name=name) for name in names),
        topic_names=names,
        timeout_ms=int(client.timeout_s * 1000),
    )
    response = client.request(request, timeout_s=client.timeout_s)
    fine = {ErrorCode.NONE} | ({ErrorCode.UNKNOWN_TOPIC_OR_PARTITION} if args.if_exists else set())
    results = [
        (
            result,
            {"topic": result.name, "deleted": result.error_code == ErrorCode.NONE},
            f"deleted {result.name}",
        )
        for result in response.responses
    ]
    return _report(args, results, fine)


def _add_partitions(client: Client, args: Namespace) -> int:
    topic = CreatePartitionsTopic(name=args.topic, count=args.total, assignments=None)
    request = CreatePartitionsRequest(topics=(topic,), timeout_ms=int(client.timeout_s * 1000))
    response = client.request(request, timeout_s=client.timeout_s)
    results = [
        (result, {"topic": result.name, "partitions": args.total}, f"{result.name} has {args.total} partitions")
        for result in response.results
    ]
    return _report(args, results, {ErrorCode.NONE})


def _report(args: Namespace, results: list[tuple[Any, dict[str, Any], str]], fine: set[ErrorCode]) -> int:
    """Says how each topic fared; the code of the whole is that of the worst."""
    code = DONE
    for result, facts, words in results:
        error = result.error_code
        if args.json:
            failed = {"error": error_name(error), "message": result.error_message} if error != ErrorCode.NONE else {}
            sys.stdout.write(output.json_line(facts | failed))
        elif error == ErrorCode.NONE:
            sys.stdout.write(f"{words}\n")
        if error not in fine:
            code = FAILED
            if not args.json:
                sys.stderr.write(f"ottla topics {args.verb}: {refusal(result.name, error, result.error_message)}\n")
    return code


def _list(client: Client, args: Namespace) -> int:
    topics = [topic for topic in _sorted(client.cluster()) if args.internal or not topic.is_internal]
    if args.json:
        for topic in topics:
            facts = {
                "topic": topic.name,
                "id": uuid_text(topic.topic_id),
                "internal": topic.is_internal,
                "partitions": len(topic.partitions),
                "replication_factor": _replicas(topic),
            }
            sys.stdout.write(output.json_line(facts))
    elif topics:
        rows = [(topic.name, len(topic.partitions), _replicas(topic)) for topic in topics]
        sys.stdout.write(output.table(("TOPIC", "PARTITIONS", "REPLICAS"), rows))
    return DONE


def _describe(client: Client, args: Namespace) -> int:
    names = list(dict.fromkeys(args.topics)) or None
    cluster = client.cluster(names)
    topics = [topic for topic in _sorted(cluster) if names or not topic.is_internal]
    code, separator = DONE, ""
    for topic in topics:
        assert topic.name is not None
        if topic.error_code != ErrorCode.NONE:
            code = FAILED
            sys.stderr.write(f"ottla topics describe: {refusal(topic.name, topic.error_code)}\n")
            continue
        settings = _settings(client, topic.name)
        starts, ends = _offsets(client, topic, _EARLIEST), _offsets(client, topic, _LATEST)
        if args.json:
            sys.stdout.write(output.json_line(_facts(topic, settings, starts, ends)))
        else:
            sys.stdout.write(separator + _shown(topic, settings, starts, ends))
            separator = "\n"
    return code


def _facts(
    topic: MetadataResponseTopic, settings: dict[str, str | None], starts: dict[int, int], ends: dict[int, int]
) -> dict[str, Any]:
    partitions = [
        {
            "partition": partition.partition_index,
            "leader": partition.leader_id,
            "leader_epoch": partition.leader_epoch,
            "replicas": list(partition.replica_nodes),
            "isr": list(partition.isr_nodes),
            "offline": list(partition.offline_replicas),
            "start_offset": starts.get(partition.partition_index),
            "end_offset": ends.get(partition.partition_index),
        }
        for partition in partitions_of(topic)
    ]
    return {"topic": topic.name, "id": uuid_text(topic.topic_id), "settings": settings, "partitions": partitions}


def _shown(
    topic: MetadataResponseTopic, settings: dict[str, str | None], starts: dict[int, int], ends: dict[int, int]
) -> str:
    head = f"{topic.name}  id {uuid_text(topic.topic_id)}\n"
    head += "".join(f"  {name} = {value}\n" for name, value in sorted(settings.items()))
    rows = [
        (
            partition.partition_index,
            partition.leader_id if partition.leader_id >= 0 else "none",
            partition.leader_epoch,
            partition.replica_nodes,
            partition.isr_nodes,
            partition.offline_replicas or None,
            starts.get(partition.partition_index),
            ends.get(partition.partition_index),
        )
        for partition in partitions_of(topic)
    ]
    headings = ("PARTITION", "LEADER", "EPOCH", "REPLICAS", "ISR", "OFFLINE", "START", "END")
    return head + output.table(headings, rows)


def _settings(client: Client, name: str) -> dict[str, str | None]:
    """What the topic sets itself."""
    resource = DescribeConfigsResource(resource_type=_TOPIC_RESOURCE, resource_name=name, configuration_keys=None)
    response = client.request(DescribeConfigsRequest(resources=(resource,)))
    for result in response.results:
        if result.error_code != ErrorCode.NONE:
            raise refusal(f"settings of {name}", result.error_code, result.error_message)
        return {config.name: config.value for config in result.configs if config.config_source == _TOPIC_SOURCE}
    raise CommandError(f"the broker said nothing about the settings of {name}")


def _offsets(client: Client, topic: MetadataResponseTopic, at: int) -> dict[int, int]:
    """Of each partition that has a leader which says it: the first offset, or the one after the last."""
    assert topic.name is not None
    by_leader: dict[int, list[int]] = {}
    for partition in topic.partitions:
        if partition.leader_id >= 0:
            by_leader.setdefault(partition.leader_id, []).append(partition.partition_index)
    found: dict[int, int] = {}
    for leader, indexes in by_leader.items():
        asked = tuple(ListOffsetsPartition(partition_index=index, timestamp=at) for index in indexes)
        request = ListOffsetsRequest(replica_id=-1, topics=(ListOffsetsTopic(name=topic.name, partitions=asked),))
        for answered in client.request(request, leader).topics:
            for result in answered.partitions:
                if result.error_code == ErrorCode.NONE:
                    found[result.partition_index] = result.offset
    return found


def _sorted(cluster: Cluster) -> list[MetadataResponseTopic]:
    return [cluster.topics[name] for name in sorted(cluster.topics)]


def _replicas(topic: MetadataResponseTopic) -> int:
    return max((len(partition.replica_nodes) for partition in topic.partitions), default=0)


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"--config {text}: expected KEY=VALUE")
    return name, value


def _count(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"


_VERBS: Final = {
    "create": _create,
    "list": _list,
    "describe": _describe,
    "delete": _delete,
    "add-partitions": _add_partitions,
}

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ottla.errors import ErrorCode
from ottla.records.consumer_protocol import AssignmentTopicPartition, ConsumerProtocolAssignment
from ottla.wire.codec import encode
from ottla.wire.k02_list_offsets import ListOffsetsRequest
from ottla.wire.k10_find_coordinator import Coordinator, FindCoordinatorRequest, FindCoordinatorResponse
from ottla.wire.k15_describe_groups import DescribedGroup, DescribedGroupMember
from ottla.wire.k16_list_groups import ListedGroup, ListGroupsRequest, ListGroupsResponse
from ottla.wire.k42_delete_groups import DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse
from ottla.wire.k47_offset_delete import OffsetDeleteRequest
from ottla.wire.k69_consumer_group_describe import Assignment, Member, TopicPartitions
from ottla.wire.k69_consumer_group_describe import DescribedGroup as DescribedConsumerGroup
from tests.cli.fake_broker import FakeBroker, topic_id
from tests.cli.fake_coordinator import FakeCoordinator
from tests.cli.run import Ended, run

NOW_MS = 1_700_000_100_000


class Cluster:
    """A broker with two topics: `teas` (3, 0 and 2 records), whose records are 100 and 40 s old, and `cups` (none)."""

    def __init__(self, broker: FakeBroker, patch: pytest.MonkeyPatch, *, old: bool = False) -> None:
        self.broker = broker
        self.groups = FakeCoordinator(broker, old=old)
        self._patch = patch
        patch.setattr(time, "time", lambda: NOW_MS / 1000)
        broker.store("teas", 0, b"a", timestamp_ms=NOW_MS - 100_000)
        broker.store("teas", 0, b"b", b"c", timestamp_ms=NOW_MS - 40_000)
        broker.store("teas", 2, b"d", b"e", timestamp_ms=NOW_MS + 5_000)

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Ended:
        return run(self._patch, "groups", *arguments, "-b", self.broker.address, "--timeout", "5", stdin=stdin)

    def facts(self, *arguments: str, code: int = 0, stdin: bytes = b"") -> list[Any]:
        ended = self(*arguments, "--json", stdin=stdin)
        assert ended.code == code, ended
        return [json.loads(line) for line in ended.out.splitlines()]

    def asked(self, kind: type) -> list[Any]:
        return [request for request in self.broker.asked if isinstance(request, kind)]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    with FakeBroker({"teas": 3, "cups": 1}) as broker:
        yield Cluster(broker, monkeypatch)


@pytest.fixture
def old_cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """As brokers were before KIP-848, ids of topics, and requests of many groups."""
    with FakeBroker({"teas": 3, "cups": 1}) as broker:
        yield Cluster(broker, monkeypatch, old=True)


def consumer_group(name: str, *assigned: tuple[str, tuple[int, ...]]) -> DescribedConsumerGroup:
    topics = tuple(
        TopicPartitions(topic_id=topic_id(topic), topic_name=topic, partitions=indexes) for topic, indexes in assigned
    )
    member = Member(
        member_id="m1",
        instance_id="one",
        member_epoch=4,
        client_id="c",
        client_host="/127.0.0.1",
        assignment=Assignment(topic_partitions=topics),
    )
    return DescribedConsumerGroup(
        group_id=name, group_state="Stable", group_epoch=4, assignor_name="uniform", members=(member,)
    )


def classic_group(name: str, assignment: bytes) -> DescribedGroup:
    member = DescribedGroupMember(member_id="m1", client_id="c", client_host="/127.0.0.1", member_assignment=assignment)
    return DescribedGroup(
        group_id=name, group_state="Stable", protocol_type="consumer", protocol_data="range", members=(member,)
    )


# --- list -----------------------------------------------------------------------------------------------------------


def test_list(cluster: Cluster) -> None:
    assert cluster("list") == (0, "", "")
    cluster.groups.commit("b teas-0=1")
    cluster.groups.consumer["a"] = consumer_group("a")
    shown = "GROUP  TYPE      STATE   PROTOCOL\na      consumer  Stable  consumer\nb      classic   Empty   -\n"
    assert cluster("list") == (0, shown, "")
    assert cluster.facts("list", "--state", "EMPTY") == [
        {"group": "b", "type": "classic", "state": "Empty", "protocol": None}
    ]
    assert cluster("list", "--type", "Classic", "--type", "share").code == 0
    assert [(r.states_filter, r.types_filter) for r in cluster.asked(ListGroupsRequest)[2:]] == [
        (("Empty",), ()),
        ((), ("classic", "share")),
    ]


def test_list_refuses_what_is_no_state(cluster: Cluster) -> None:
    ended = cluster("list", "--state", "sleepy")
    assert (ended.code, "'sleepy' is none of PreparingRebalance, " in ended.err) == (2, True)


def test_list_of_a_broker_that_knows_no_states(old_cluster: Cluster) -> None:
    old_cluster.groups.commit("b teas-0=1")
    assert old_cluster("list").out == "GROUP  TYPE  STATE  PROTOCOL\nb      -     -      -\n"
    ended = old_cluster("list", "--state", "stable")
    assert (ended.code, "omit --state" in ended.err) == (1, True)


# --- describe -------------------------------------------------------------------------------------------------------


def test_describe_a_consumer_group(cluster: Cluster) -> None:
    cluster.groups.consumer["a"] = consumer_group("a", ("teas", (0, 1)), ("cups", (0,)))
    assert cluster("describe", "a").out == (
        "a  type consumer  state Stable  epoch 4  assignor uniform  coordinator 1\n"
        "MEMBER  INSTANCE  CLIENT  HOST        EPOCH  ASSIGNED\n"
        "m1      one       c       /127.0.0.1      4  cups:0 teas:0-1\n"
    )


def test_describe_a_classic_group(cluster: Cluster) -> None:
    assigned = ConsumerProtocolAssignment(
        assigned_partitions=(AssignmentTopicPartition(topic="teas", partitions=(0, 2)),)
    )
    cluster.groups.classic["a"] = classic_group("a", (3).to_bytes(2) + encode(assigned, 3))
    assert cluster("describe", "a").out.splitlines()[-1].split() == ["m1", "-", "c", "/127.0.0.1", "-", "teas:0,2"]
    (facts,) = cluster.facts("describe", "a")
    assert (facts["type"], facts["epoch"], facts["assignor"]) == ("classic", None, "range")
    assert facts["members"][0]["assigned"] == [{"topic": "teas", "partition": 0}, {"topic": "teas", "partition": 2}]


@pytest.mark.parametrize("assignment", [b"", b"\x00", b"\xff\xff\xff\xff", b"\x00\x00\x7f\xff\xff\xff"])
def test_an_assignment_that_cannot_be_read_is_not_shown(cluster: Cluster, assignment: bytes) -> None:
    cluster.groups.classic["a"] = classic_group("a", assignment)
    assert cluster("describe", "a").out.splitlines()[-1].split()[-1] == "-"


def test_describe_all_and_what_is_not_there(cluster: Cluster) -> None:
    cluster.groups.commit("a teas-0=1")
    cluster.groups.commit("b teas-0=1")
    shown = "{0}  type classic  state Empty  coordinator 1\n  no members\n"
    assert cluster("describe").out == shown.format("a") + "\n" + shown.format("b")
    ended = cluster("describe", "nope", "a")
    assert ended == (
        1,
        shown.format("a"),
        "ottla groups describe: there is no group nope\n  ottla groups list shows what there is\n",
    )


def test_a_group_of_which_nobody_says_the_members(cluster: Cluster) -> None:
    shares = ListedGroup(group_id="s", protocol_type="share", group_state="Stable", group_type="share")
    cluster.broker.serve(ListGroupsRequest, (0, 5), lambda _: ListGroupsResponse(groups=(shares,)))
    assert cluster("describe").out == (
        "s  type share  state Stable  coordinator 1\n  members of such groups are not shown here\n"
    )
    assert cluster.facts("describe", "s")[0]["members"] is None


# --- offsets --------------------------------------------------------------------------------------------------------


def test_offsets(cluster: Cluster) -> None:
    cluster.groups.commit("a teas-0=1/3:note teas-2=2")
    assert cluster("offsets").out == (
        "GROUP  TOPIC  PARTITION  OFFSET  EPOCH  METADATA\n"
        "a      teas           0       1      3  note\n"
        "a      teas           2       2      -  -\n"
    )
    assert cluster.facts("offsets", "a")[0] == {
        "group": "a",
        "topic": "teas",
        "partition": 0,
        "offset": 1,
        "leader_epoch": 3,
        "metadata": "note",
    }
    assert cluster("offsets", "nope").code == 1


def test_offsets_of_an_old_broker(old_cluster: Cluster) -> None:
    old_cluster.groups.commit("a teas-0=1")
    assert [line["offset"] for line in old_cluster.facts("offsets", "a")] == [1]
    assert old_cluster("offsets", "nope").code == 1


# --- lag ------------------------------------------------------------------------------------------------------------


def test_lag_in_records_and_in_seconds(cluster: Cluster) -> None:
    cluster.groups.commit("a teas-0=1 teas-1=0 teas-2=2")
    assert cluster("lag", "a").out == (
        "GROUP  TOPIC  PARTITION  COMMITTED  END  LAG  SECONDS\n"
        "a      teas           0          1    3    2     40.0\n"
        "a      teas           1          0    0    0      0.0\n"
        "a      teas           2          2    2    0      0.0\n"
        "\n"
        "a: 2 records, 40.0 s behind\n"
    )


def test_lag_is_the_age_of_the_next_record(cluster: Cluster) -> None:
    """And no less than nothing, where a producer's clock is ahead."""
    cluster.groups.commit("a teas-0=0 teas-2=1")
    assert [(line["lag"], line["seconds"]) for line in cluster.facts("lag", "a")] == [(3, 100.0), (1, 0.0)]


def test_lag_of_what_is_read_and_not_committed(cluster: Cluster) -> None:
    cluster.groups.commit("a teas-0=3")
    cluster.groups.consumer["a"] = consumer_group("a", ("teas", (0, 1, 2)))
    facts = cluster.facts("lag", "a")
    assert [(line["offset"], line["end"], line["lag"], line["seconds"]) for line in facts] == [
        (3, 3, 0, 0.0),
        (None, 0, 0, 0.0),
        (None, 2, None, None),
    ]
    assert cluster("lag", "a").out.endswith("a: 0 records, 0.0 s behind, 1 partition unknown\n")


def test_lag_of_a_topic_that_is_gone(cluster: Cluster) -> None:
    cluster.groups.commit("a teas-0=3")
    del cluster.broker.topics["teas"]
    (line,) = cluster.facts("lag", "a")
    assert (line["end"], line["lag"], line["seconds"]) == (None, None, None)


@pytest.mark.parametrize(
    ("allowed", "code", "words"),
    [
        (("--max-records", "2"), 0, ""),
        (("--max-records", "1"), 1, "ottla groups lag: a is 2 records behind, --max-records allows 1\n"),
        (("--max-seconds", "40"), 0, ""),
        (("--max-seconds", "39.5"), 1, "ottla groups lag: a is 40.0 s behind, --max-seconds allows 39.5\n"),
    ],
)
def test_lag_above_what_is_allowed(cluster: Cluster, allowed: tuple[str, str], code: int, words: str) -> None:
    cluster.groups.commit("a teas-0=1")
    ended = cluster("lag", "a", *allowed)
    assert (ended.code, ended.err) == (code, words)


def test_lag_that_nobody_knows_is_not_allowed(cluster: Cluster) -> None:
    cluster.groups.commit("a teas-0=3")
    cluster.groups.consumer["a"] = consumer_group("a", ("teas", (2,)))
    ended = cluster("lag", "a", "--max-records", "100")
    assert ended.code == 1
    assert ended.err == "ottla groups lag: a may be further behind than allowed: nobody knows, 1 partition unknown\n"


# --- watch ----------------------------------------------------------------------------------------------------------


def test_watch_goes_on_until_it_is_stopped(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.groups.commit("a teas-0=1")
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            raise KeyboardInterrupt
        cluster.groups.commit("a teas-0=3")

    monkeypatch.setattr(time, "sleep", sleep)
    ended = cluster("offsets", "a", "--json", "--watch", "7")
    assert ended.code == 130
    assert [json.loads(line)["offset"] for line in ended.out.splitlines()] == [1, 3]
    assert waits == [7, 7]
    waits.clear()
    shown = cluster("list", "--watch").out.splitlines()
    assert shown == ["2023-11-14T22:15:00.000Z", "GROUP  TYPE     STATE  PROTOCOL", "a      classic  Empty  -"] * 2


def test_watch_needs_a_pause(cluster: Cluster) -> None:
    ended = cluster("lag", "--watch", "0")
    assert (ended.code, "--watch must be more than 0" in ended.err) == (2, True)


# --- reset ----------------------------------------------------------------------------------------------------------


def test_reset_shows_its_plan_and_changes_nothing(cluster: Cluster) -> None:
    cluster.groups.commit("a teas-0=1 teas-2=2")
    before = cluster.groups.offsets("a")
    assert cluster("reset", "a", "--to-latest") == (
        0,
        "TOPIC  PARTITION  START  END  NOW  NEW  CHANGE\n"
        "teas           0      0    3    1    3       2\n"
        "teas           2      0    2    2    2       0\n",
        "nothing was changed: --execute does it\n",
    )
    assert cluster.groups.offsets("a") == before


@pytest.mark.parametrize(
    ("target", "moved"),
    [
        (("--to-earliest",), (0, 0)),
        (("--to-latest",), (3, 2)),
        (("--to-offset", "1"), (1, 1)),
        (("--to-offset", "9"), (3, 2)),
        (("--shift-by", "-1"), (1, 0)),
        (("--shift-by", "-5"), (0, 0)),
        (("--shift-by", "1"), (3, 2)),
        (("--to-datetime", str(NOW_MS - 50_000)), (1, 0)),
        (("--to-datetime", "2023-11-14T22:14:00Z"), (1, 0)),
        (("--to-datetime", "2023-11-14T23:14:00.000+01:00"), (1, 0)),
        (("--to-datetime", "2023-11-14T22:15:00.000"), (3, 0)),
        (("--by-duration", "1m"), (1, 0)),
        (("--by-duration", "PT30S"), (3, 0)),
        (("--by-duration", "P1DT1H"), (0, 0)),
    ],
)
def test_targets_of_reset(cluster: Cluster, target: tuple[str, ...], moved: tuple[int, int]) -> None:
    cluster.groups.commit("a teas-0=2 teas-2=1")
    assert cluster("reset", "a", *target, "--execute").code == 0
    assert cluster.groups.offsets("a") == {("teas", 0): moved[0], ("teas", 2): moved[1]}


def test_reset_says_what_it_did_otherwise(cluster: Cluster) -> None:
    cluster.groups.commit("a teas-0=2")
    assert cluster.facts("reset", "a", "--to-offset", "7") == [
        {
            "group": "a",
            "topic": "teas",
            "partition": 0,
            "before": 2,
            "offset": 3,
            "start": 0,
            "end": 3,
            "note": "7 is not in the log; its end",
            "executed": False,
        }
    ]
    late = cluster("reset", "a", "--to-datetime", "2030-01-01")
    assert late.out.splitlines()[1].endswith("no record is that late; its end")


def test_reset_of_a_group_that_is_not_there_makes_it(cluster: Cluster) -> None:
    ended = cluster("reset", "new", "--to-latest")
    assert ended.code == 1
    assert ended.err == "ottla groups: group new has committed nothing\n  say of which topics: --topic TOPIC\n"
    assert cluster("reset", "new", "--to-latest", "--topic", "teas:0,2", "--execute").code == 0
    assert cluster.groups.offsets("new") == {("teas", 0): 3, ("teas", 2): 2}


def test_reset_of_topics(cluster: Cluster) -> None:
    cluster.groups.commit("a cups-0=0")
    assert cluster("reset", "a", "--to-latest", "--topic", "teas", "--execute").code == 0
    assert cluster.groups.offsets("a") == {("cups", 0): 0, ("teas", 0): 3, ("teas", 1): 0, ("teas", 2): 2}
    ended = cluster("reset", "a", "--to-latest", "--topic", "teas:5")
    assert ended == (2, "", "ottla groups: teas has no partition 5: it has 3, counted from 0\n")
    ended = cluster("reset", "a", "--to-latest", "--topic", "nope")
    assert (ended.code, "topic nope: UNKNOWN_TOPIC_OR_PARTITION" in ended.err) == (1, True)
    ended = cluster("reset", "a", "--shift-by", "1", "--topic", "teas")
    assert (ended.code, "nothing to shift" in ended.err) == (1, False) or ended.code == 0
    assert cluster("reset", "b", "--shift-by", "1", "--topic", "teas").err.startswith(
        "ottla groups: teas-0: there is nothing to shift"
    )


def test_reset_of_a_group_with_members_is_refused(cluster: Cluster) -> None:
    cluster.groups.commit("a teas-0=1")
    cluster.groups.consumer["a"] = consumer_group("a")
    ended = cluster("reset", "a", "--to-latest")
    assert (ended.code, "will be refused as long as group a has members" in ended.err) == (0, True)
    ended = cluster("reset", "a", "--to-latest", "--execute")
    assert ended.code == 1
    assert ended.err == (
        "ottla groups: group a has members, which go on where they are\n"
        "  stop them first; ottla groups describe a shows who they are\n"
    )
    assert cluster.groups.offsets("a") == {("teas", 0): 1}


def test_a_member_that_comes_between_plan_and_commit(cluster: Cluster) -> None:
    cluster.groups.commit("a teas-0=1")

    def arrives(request: ListOffsetsRequest) -> Any:
        run_group(cluster, "a")
        return cluster.broker.answer(request)

    cluster.broker.next_answers[ListOffsetsRequest].append(arrives)
    ended = cluster("reset", "a", "--to-latest", "--execute")
    assert (ended.code, "group a has members" in ended.err) == (1, True)
    assert cluster.groups.offsets("a") == {("teas", 0): 1}


def run_group(cluster: Cluster, name: str) -> None:
    cluster.groups.world.groups.groups[name].members = {"m": 1}


def test_reset_from_what_was_exported(cluster: Cluster, tmp_path: Path) -> None:
    cluster.groups.commit("a teas-0=1 teas-2=2")
    cluster.groups.commit("b teas-0=0")
    file = tmp_path / "offsets"
    file.write_text(cluster("offsets", "--json").out)
    assert cluster("reset", "a", "--to-earliest", "--execute").code == 0
    assert cluster("reset", "a", "--from-file", str(file), "--execute").code == 0
    assert cluster.groups.offsets("a") == {("teas", 0): 1, ("teas", 2): 2}


@pytest.mark.parametrize(
    "lines",
    [
        b"teas,0,1\nteas,2,2\n",
        b'"teas",0,1\n"teas", 2, 2\n',
        b'"a","teas",0,1\n"other","teas",0,0\na,teas,2,2\n',
        b"# as of noon\n\nteas,0,1\nteas,2,2",
    ],
)
def test_reset_from_a_file_of_kafkas_tool(cluster: Cluster, lines: bytes) -> None:
    assert cluster("reset", "a", "--from-file", "-", "--execute", stdin=lines).code == 0
    assert cluster.groups.offsets("a") == {("teas", 0): 1, ("teas", 2): 2}


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (b"", "- has no offsets of group a"),
        (b"b,teas,0,1\n", "- has no offsets of group a"),
        (b"teas,0,1\nteas,0,2\n", "-, line 2: teas-0 is there twice"),
        (b"teas,0\n", "-, line 1: 'teas,0' is neither"),
        (b"teas,0,-1\n", "-, line 1: 'teas,0,-1' is neither"),
        (b"x,a,teas,0,1\n", "-, line 1: 'x,a,teas,0,1' is neither"),
        (b'"teas,0,1\n', "-, line 1: '\"teas,0,1' is neither"),
        (b'{"topic":"teas"}\n', '-, line 1: \'{"topic":"teas"}\' is neither'),
        (b"\xff", "cannot read -"),
    ],
)
def test_a_file_that_cannot_be_read(cluster: Cluster, lines: bytes, words: str) -> None:
    ended = cluster("reset", "a", "--from-file", "-", stdin=lines)
    assert (ended.code, words in ended.err) == (2, True), ended


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--by-duration", "soon"), "'soon' is no duration\n  durations look like 90s, 1h30m, 2d, PT1H30M"),
        (("--by-duration", "PT"), "'PT' is no duration"),
        (("--to-datetime", "noon"), "'noon' is no time\n  times look like"),
        (("--from-file", "/no/such"), "cannot read /no/such"),
        (("--to-latest", "--topic", "teas:x"), "--topic teas:x: expected TOPIC or TOPIC:PARTITION,..."),
        (("--to-latest", "--to-earliest"), "not allowed with argument"),
        ((), "is required"),
    ],
)
def test_a_reset_that_is_no_reset(cluster: Cluster, arguments: tuple[str, ...], words: str) -> None:
    ended = cluster("reset", "a", *arguments)
    assert (ended.code, words in ended.err) == (2, True), ended


def test_reset_of_an_old_broker(old_cluster: Cluster) -> None:
    assert old_cluster("reset", "a", "--to-latest", "--topic", "teas:0", "--execute").code == 0
    assert old_cluster.groups.offsets("a") == {("teas", 0): 3}


# --- delete ---------------------------------------------------------------------------------------------------------


def test_delete(cluster: Cluster) -> None:
    cluster.groups.commit("a teas-0=1")
    assert cluster("delete", "a") == (0, "deleted a\n", "")
    ended = cluster("delete", "a")
    assert ended == (1, "", "ottla groups delete: there is no group a\n  ottla groups list shows what there is\n")
    assert cluster("delete", "a", "--if-exists") == (0, "", "")
    cluster.groups.commit("b teas-0=1")
    run_group(cluster, "b")
    ended = cluster("delete", "b", "nope", "--if-exists")
    assert (ended.code, ended.err.count("group b has members")) == (1, 1)
    assert cluster.facts("delete", "b", code=1) == [
        {"group": "b", "deleted": False, "error": "NON_EMPTY_GROUP", "message": None}
    ]


def test_delete_some_of_what_was_committed(cluster: Cluster) -> None:
    cluster.groups.commit("a teas-0=1 teas-2=1 cups-0=0")
    assert cluster("delete", "a", "--topic", "teas:0,1").out == "deleted a teas-0\n"
    assert cluster.facts("delete", "a", "--topic", "cups") == [
        {"group": "a", "topic": "cups", "partition": 0, "deleted": True}
    ]
    assert cluster.groups.offsets("a") == {("teas", 2): 1}
    assert (
        cluster("delete", "a", "--topic", "cups").err
        == "ottla groups delete: a has committed nothing of these topics\n"
    )
    assert cluster("delete", "nope", "--topic", "cups").code == 1
    assert cluster("delete", "nope", "--topic", "cups", "--if-exists").code == 0
    cluster.groups.world.groups.groups["a"].members = {"m": 1}
    cluster.groups.world.groups.groups["a"].subscribed = {"teas"}
    ended = cluster("delete", "a", "--topic", "teas")
    assert (ended.code, "GROUP_SUBSCRIBED_TO_TOPIC" in ended.err) == (1, True)
    assert len(cluster.asked(OffsetDeleteRequest)) == 3


# --- coordinators ---------------------------------------------------------------------------------------------------


def test_a_coordinator_that_moves_is_looked_for_again(cluster: Cluster) -> None:
    cluster.groups.commit("a teas-0=1")
    loading = Coordinator(key="a", node_id=-1, error_code=ErrorCode.COORDINATOR_NOT_AVAILABLE)
    cluster.broker.next_answers[FindCoordinatorRequest].append(
        lambda _: FindCoordinatorResponse(coordinators=(loading,))
    )
    moved = DeletableGroupResult(group_id="a", error_code=ErrorCode.NOT_COORDINATOR)
    cluster.broker.next_answers[DeleteGroupsRequest].append(lambda _: DeleteGroupsResponse(results=(moved,)))
    assert cluster("delete", "a").code == 0
    assert len(cluster.asked(FindCoordinatorRequest)) == 3


def test_a_coordinator_that_does_not_load_in_time(cluster: Cluster) -> None:
    loading = Coordinator(key="a", node_id=1, error_code=ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
    cluster.broker.serve(FindCoordinatorRequest, (0, 6), lambda _: FindCoordinatorResponse(coordinators=(loading,)))
    ended = cluster("offsets", "a", "--timeout", "0.3")
    assert ended.code == 1
    assert "coordinator of group a: COORDINATOR_LOAD_IN_PROGRESS" in ended.err


def test_no_broker(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "groups", "list", "-b", "127.0.0.1:1").code == 3

from __future__ import annotations

import json
import time

import pytest

from ottla.errors import ErrorCode
from ottla.records.consumer_protocol import AssignmentTopicPartition, ConsumerProtocolAssignment
from ottla.wire.codec import encode
from ottla.wire.k10_find_coordinator import Coordinator, FindCoordinatorRequest, FindCoordinatorResponse
from ottla.wire.k15_describe_groups import DescribedGroup, DescribedGroupMember
from ottla.wire.k16_list_groups import ListedGroup, ListGroupsRequest, ListGroupsResponse
from ottla.wire.k42_delete_groups import DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse
from ottla.wire.k47_offset_delete import OffsetDeleteRequest
from tests.cli.groups_cluster import Cluster, consumer_group, run_group
from tests.cli.run import run


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

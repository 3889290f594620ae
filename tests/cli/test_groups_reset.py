from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ottla.wire.k02_list_offsets import ListOffsetsRequest
from tests.cli.groups_cluster import NOW_MS, Cluster, consumer_group, run_group


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

"""On directories Kafka 4.4.0 wrote (golden/data), and on damage done to copies of them."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path
from typing import Any

import pytest

from ottla._core import build_batch
from ottla.cli.inspection.directory import inspect_file
from tests.cli.run import Ended, run

DATA = Path(__file__).parent / "golden" / "data"
TRANSACTIONS = DATA / "tx-0"
LOG = "00000000000000000000.log"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA, tmp_path / "data"))


def _inspect(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> Ended:
    return run(monkeypatch, "inspect", *map(str, arguments))


def _json(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _inspect(monkeypatch, *arguments, "--json").out.splitlines()]


def test_a_directory_is_summed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = _inspect(monkeypatch, DATA)
    assert (ended.code, ended.err) == (0, "")
    lines = {line.split()[0]: line.split()[1:] for line in ended.out.splitlines() if line}
    assert lines["tx-0"] == ["1", "1.2", "KiB", "0", "26", "26", "1", "-"]
    assert lines["__cluster_metadata-0"] == ["1", "1.3", "KiB", "0", "18", "18", "-", "-"]
    assert "cluster.id AAAAAAAAAAAAAAAAAAAAAQ" in ended.out


def test_a_partition_is_shown_file_by_file(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {Path(row["file"]).name: (row["kind"], row["facts"]) for row in _json(monkeypatch, TRANSACTIONS)}
    assert rows == {
        "00000000000000000000.index": ("offset index", {"bytes": 0, "entries": 0}),
        LOG: ("segment", {"bytes": 1248, "batches": 14, "records": 26, "start_offset": 0, "end_offset": 26}),
        "00000000000000000000.timeindex": ("time index", {"bytes": 12, "entries": 1}),
        "00000000000000000000.txnindex": ("transaction index", {"bytes": 136, "entries": 4}),
        "00000000000000000026.snapshot": ("producer snapshot", {"bytes": 56, "producers": 1}),
        "leader-epoch-checkpoint": ("leader epochs", {"entries": 1}),
        "partition.metadata": ("partition metadata", {"version": "0", "topic_id": "ncltl04cTvKwIkYm86Odrw"}),
    }


def test_batches_and_records_of_a_segment(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = _json(monkeypatch, TRANSACTIONS / LOG)[:-1]
    assert len(batches) == 14
    assert [batch["flags"] for batch in batches[:2]] == [
        ["transactional", "log-append-time"],
        ["transactional", "control", "log-append-time"],
    ]
    records = _json(monkeypatch, TRANSACTIONS / LOG, "-r")[:-1]
    assert [record["value"] for record in records[:3]] == ["0-0", "0-1", "0-2"]
    assert [record["type"] for record in records if record["type"]] == ["COMMIT", "ABORT"] * 3 + ["ABORT"]


def test_rows_can_be_limited_but_all_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = _inspect(monkeypatch, TRANSACTIONS / LOG, "-n", "2")
    assert "\n... 12 more\n" in ended.out
    assert ended.out.endswith("end_offset 26\n")


def test_aborted_transactions_and_producers(monkeypatch: pytest.MonkeyPatch) -> None:
    aborted = _json(monkeypatch, TRANSACTIONS / "00000000000000000000.txnindex")[:-1]
    assert [(row["producer"], row["first"], row["last"]) for row in aborted][:2] == [(8, 4, 7), (8, 12, 15)]
    (producer, _) = _json(monkeypatch, TRANSACTIONS / "00000000000000000026.snapshot")
    assert (producer["producer"], producer["epoch"], producer["transaction"]) == (8, 1, None)


def test_the_metadata_log_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    records = _json(monkeypatch, DATA / "__cluster_metadata-0" / LOG, "-r")[:-1]
    assert records[0]["type"] == "LEADER_CHANGE"
    assert records[4]["type"] == "FeatureLevelRecord v0"
    assert records[4]["value"] == {"name": "metadata.version", "feature_level": 33}
    snapshot = DATA / "__cluster_metadata-0" / "00000000000000000000-0000000000.checkpoint"
    types = [record["type"] for record in _json(monkeypatch, snapshot, "-r")[:-1]]
    assert (types[0], types[-1]) == ("SNAPSHOT_HEADER", "SNAPSHOT_FOOTER")


@pytest.mark.parametrize(
    ("directory", "type_", "key"),
    [
        ("__transaction_state-20", "TransactionLog", {"transactional_id": "x"}),
        ("__consumer_offsets-38", "GroupMetadata", {"group": "console-consumer-94149"}),
    ],
)
def test_the_logs_of_coordinators_are_decoded(
    monkeypatch: pytest.MonkeyPatch, directory: str, type_: str, key: dict[str, Any]
) -> None:
    records = _json(monkeypatch, DATA / directory, "-r")
    found = [record for record in records if record.get("type") == type_]
    assert found
    assert all(record["key"] == key for record in found)


def test_small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    (state,) = _json(monkeypatch, DATA / "__cluster_metadata-0" / "quorum-state")
    assert state["facts"]["leaderId"] == 1
    rows = _json(monkeypatch, DATA / "recovery-point-offset-checkpoint")
    assert rows[1] == {
        "file": str(DATA / "recovery-point-offset-checkpoint"),
        "kind": "checkpoint",
        "topic": "tx",
        "partition": 0,
        "offset": 26,
    }


_HEADER_FIELDS_WITHOUT_CHECKSUM = (*range(8), *range(12, 16))
"""Base offset and leader epoch, which a leader sets without computing the checksum anew."""


def test_every_flipped_byte_of_a_segment_is_found(copy: Path) -> None:
    path = copy / "tx-0" / LOG
    whole = path.read_bytes()
    starts = [row[0] for row in _report(path).rows]
    free = {int(str(start)) + at for start in starts for at in _HEADER_FIELDS_WITHOUT_CHECKSUM}
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        report = _report(path).finish()
        assert report.problems or at in free, at


def test_every_cut_is_found_but_those_between_batches(copy: Path) -> None:
    path = copy / "tx-0" / LOG
    whole = path.read_bytes()
    starts = {int(str(row[0])) for row in _report(path).rows}
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        problems = _report(path).finish().problems
        assert bool(problems) == (length not in starts), length
        if problems:
            assert problems[0].position == max(start for start in starts if start < length)


def _report(path: Path) -> Any:
    report = inspect_file(path, with_records=False)
    assert report is not None
    return report


def _problem(monkeypatch: pytest.MonkeyPatch, path: Path) -> str:
    """The one problem that is found."""
    ended = _inspect(monkeypatch, path)
    assert ended.code == 1, ended.out
    problem, count = ended.err.splitlines()
    assert count == "1 problem found"
    return problem


def test_a_tail_of_zeros(monkeypatch: pytest.MonkeyPatch, copy: Path) -> None:
    path = copy / "tx-0" / LOG
    path.write_bytes(path.read_bytes() + bytes(100))
    words = "no batch: its length is 0 (a tail of zeros?); 100 bytes are left"
    assert _problem(monkeypatch, path) == f"{path}, byte 1248: {words}"


def test_offsets_that_go_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "00000000000000000005.log"
    first, second = (build_batch([(None, b"v", 1, ())], base_offset=offset, leader_epoch=1) for offset in (7, 6))
    path.write_bytes(first + second)
    words = "offsets go back: the batch begins at 6, 8 is the least it may"
    assert _problem(monkeypatch, path) == f"{path}, byte {len(first)}: {words}"
    path.write_bytes(build_batch([(None, b"v", 1, ())], base_offset=4))
    assert "offsets go back: the batch begins at 4, 5 is the least it may" in _problem(monkeypatch, path)


def test_a_record_that_is_none_of_its_topic(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    directory = tmp_path / "__cluster_metadata-0"
    directory.mkdir()
    (directory / LOG).write_bytes(build_batch([(None, b"\x01\x7f\x00", 1, ())]))
    ended = _inspect(monkeypatch, directory)
    assert ended.code == 1
    assert "record 0: __cluster_metadata has no records of type 127" in ended.err


def _segment(directory: Path, count: int = 3) -> list[tuple[int, int]]:
    """Writes a segment; gives (last offset, position) of each batch."""
    data, entries = b"", []
    for index in range(count):
        entries.append((2 * index + 1, len(data)))
        data += build_batch([(None, b"a", 1, ()), (None, b"b", 2, ())], base_offset=2 * index)
    (directory / LOG).write_bytes(data)
    return entries


def _index(directory: Path, entries: list[tuple[int, int]], behind: bytes = b"") -> Path:
    path = directory / "00000000000000000000.index"
    path.write_bytes(b"".join(struct.pack(">ii", *entry) for entry in entries) + behind)
    return path


def test_an_index_is_held_against_its_segment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    entries = _segment(tmp_path)
    assert _inspect(monkeypatch, _index(tmp_path, entries[1:])).code == 0
    wrong = (entries[1][0] + 1, entries[1][1])
    words = f"offset 4 is said to be at byte {wrong[1]}, where a batch of 2 to 3 is"
    assert _problem(monkeypatch, path := _index(tmp_path, [wrong])) == f"{path}, byte 0: {words}"
    assert "where the segment has nothing" in _problem(monkeypatch, _index(tmp_path, [(9, 5000)]))
    assert "entry 1 does not grow" in _problem(monkeypatch, _index(tmp_path, [entries[1], entries[1]]))
    assert "11 bytes are not a multiple of 8" in _problem(monkeypatch, _index(tmp_path, entries[1:2], b"\0\0\0"))


def test_an_index_may_have_been_given_its_size_beforehand(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    entries = _segment(tmp_path)
    path = _index(tmp_path, entries[1:])
    with path.open("r+b") as file:
        file.truncate(1 << 20)
    rows = _json(monkeypatch, path)
    assert [(row["offset"], row["position"]) for row in rows[:-1]] == entries[1:]
    assert rows[-1]["facts"]["preallocated_bytes"] == (1 << 20) - 16


def test_an_index_without_its_segment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    directory = tmp_path / "t-0"
    directory.mkdir()
    (directory / "00000000000000000007.timeindex").write_bytes(b"")
    ended = _inspect(monkeypatch, directory)
    assert "there is no segment that this index is of" in ended.err


def test_segments_that_overlap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    directory = tmp_path / "t-0"
    directory.mkdir()
    _segment(directory)
    (directory / "00000000000000000004.log").write_bytes(build_batch([(None, b"v", 1, ())], base_offset=6))
    ended = _inspect(monkeypatch, directory)
    assert "00000000000000000004.log: begins at offset 4, the segment before it ends at 6" in ended.err


def test_a_time_index_that_goes_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "00000000000000000000.timeindex"
    path.write_bytes(struct.pack(">qiqi", 9, 1, 8, 2))
    assert _problem(monkeypatch, path) == f"{path}, byte 12: entry 1 goes back: 8, 2 after 9, 1"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("leader-epoch-checkpoint", "0\n2\n1 0\n", "line 2: '2' entries are announced, there are 1"),
        ("leader-epoch-checkpoint", "0\n2\n2 0\n1 5\n", "epochs do not grow: epoch 1 from 5 after epoch 2 from 0"),
        ("leader-epoch-checkpoint", "1\n0\n", "line 1: version '1', 0 is known"),
        ("recovery-point-offset-checkpoint", "0\n1\nt x 5\n", "line 3: 't x 5' is no entry"),
        ("meta.properties", "version=1\nnode.id=1\n", "cluster.id is missing"),
        ("meta.properties", "version=0\nnode.id=1\ncluster.id=a\n", "version 0, 1 is known"),
        ("partition.metadata", "version: 0\ntopic_id: short", "topic_id 'short' is no uuid"),
        ("quorum-state", "{", "no JSON"),
        ("quorum-state", '{"leaderId":1,"leaderEpoch":1,"votedId":1}', "data_version is missing"),
        ("00000000000000000001.snapshot", "ab", "2 bytes are too few for a producer snapshot"),
    ],
)
def test_small_files_that_are_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, text: str, words: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert words in _problem(monkeypatch, path)


def test_a_snapshot_with_a_wrong_checksum(monkeypatch: pytest.MonkeyPatch, copy: Path) -> None:
    path = copy / "tx-0" / "00000000000000000026.snapshot"
    data = bytearray(path.read_bytes())
    data[20] ^= 1
    path.write_bytes(data)
    assert f"{path}, byte 2: wrong checksum" in _problem(monkeypatch, path)


def test_what_cannot_be_inspected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "there is no" in _inspect(monkeypatch, tmp_path / "nothing").err
    (tmp_path / "notes.txt").write_text("")
    assert "no file of a data directory has such a name" in _inspect(monkeypatch, tmp_path / "notes.txt").err
    assert "is no data directory" in _inspect(monkeypatch, tmp_path).err


def test_problems_in_json(monkeypatch: pytest.MonkeyPatch, copy: Path) -> None:
    path = copy / "tx-0" / LOG
    path.write_bytes(path.read_bytes()[:-1])
    problem = _json(monkeypatch, path)[-1]
    assert problem["problem"].startswith("the file ends inside a batch")
    assert problem["file"] == str(path)
    assert isinstance(problem["position"], int)

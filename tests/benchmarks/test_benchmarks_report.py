"""The ratio is ours to theirs, in the direction of the metric; the README keeps what a person wrote."""

from pathlib import Path

import pytest
from benchmarks.measure import METRICS, Figure
from benchmarks.report import figure, markdown, marks, number, write_readme
from benchmarks.runner import Row
from benchmarks.workload import Against, Case, Reach, Workload


def row(peer: str, **metrics: float) -> Row:
    return Row("w", "a workload", "", peer, {name: Figure(v, v, v, 1) for name, v in metrics.items()})


def shown(rows: list[Row], *reaches: Reach) -> str:
    return markdown(rows, [Workload("w", "a workload", (Case("", 0, 0, reaches),), lambda _trial, _p: {})])


@pytest.mark.parametrize(("ours", "mark"), [(200.0, "✓"), (199.0, "✗")])
def test_more_is_better(ours: float, mark: str) -> None:
    text = shown([row("kafka", mb_s=100), row("ottla", mb_s=ours)], Reach("mb_s", 2))
    assert f"{mark} MB/s {number(ours / 100)}× (≥ 2×)" in text


@pytest.mark.parametrize(("ours", "mark"), [(2.0, "✓"), (3.0, "✗")])
def test_less_is_better(ours: float, mark: str) -> None:
    text = shown([row("kafka", cpu_s_per_gb=4), row("ottla", cpu_s_per_gb=ours)], Reach("cpu_s_per_gb", 0.5))
    assert f"{mark} CPU {number(ours / 4)}× (≤ 0.5×)" in text


def test_against_others_and_against_nothing() -> None:
    limits = [row("machine", mb_s=100), row("kafka-python", mb_s=10)]
    rows = [row("kafka", mb_s=1), row("ottla", mb_s=90, rss_mb=70), *limits]
    library = Reach("mb_s", 10, Against.KAFKA_PYTHON)
    text = shown(rows, Reach("mb_s", 0.9, Against.MACHINE), library, Reach("rss_mb", 60, Against.NOTHING))
    assert "✓ MB/s 0.9× of the machine (≥ 0.9×)" in text
    assert "✗ MB/s 9× of kafka-python (≥ 10×)" in text
    assert "✗ MiB 70 MiB (≤ 60)" in text


def test_nothing_to_compare_with_is_not_a_success() -> None:
    failed = Row("w", "a workload", "", "kafka", failed="it | broke")
    text = shown([failed, row("ottla", mb_s=90)], Reach("mb_s", 2))
    assert "✓" not in text
    assert "nothing to compare with (≥ 2×)" in text
    assert "**fails**: it \\| broke" in text


def test_every_row_has_every_column() -> None:
    lines = shown([row("kafka", **dict.fromkeys(METRICS, 1.0)), Row("w", "a workload", "", "ottla")]).splitlines()
    assert {line.count("|") for line in lines} == {10}


def test_figures_have_three_digits() -> None:
    assert figure(Figure(1234.56, 0.123456, 12.3456, 3), "s") == "1,235 (0.123–12.3) s"
    assert figure(Figure(2.0001, 2.0, 2.0002, 3), "s") == "2 s"


def test_readme_keeps_what_is_around(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    (begin, end), (other, others_end) = marks("this"), marks("that")
    rest = f"\nbetween\n{other}\nkept\n{others_end}\nafter\n"
    readme.write_text(f"before\n{begin}\nold\n{end}{rest}")
    write_readme("new", "this", readme)
    write_readme("newer", "this", readme)
    assert readme.read_text() == f"before\n{begin}\n\nnewer\n{end}{rest}"


def test_readme_without_a_place(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("nothing here\n")
    with pytest.raises(ValueError, match="results of that: begin"):
        write_readme("new", "that", readme)

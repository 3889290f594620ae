"""Ottla answers as the transcripts of Apache Kafka 4.4.0 say, or as they say that it departs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.transcripts import SCRIPTS, parse, play, render, scripts
from tests.support.broker_process import BrokerProcess


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    directory = tmp_path_factory.mktemp("transcripts") / "data"
    with BrokerProcess(directory, {"auto.create.topics.enable": "false"}) as broker:
        broker.start()
        yield broker


def test_there_are_scripts() -> None:
    assert len(scripts()) >= 10


@pytest.mark.parametrize("path", scripts(), ids=lambda path: str(path.relative_to(SCRIPTS)))
def test_transcript(broker: BrokerProcess, path: Path) -> None:
    played = play(path, broker.address, f"{path.stem}-")
    expected = render(type(block)(block.comments, block.commands, block.ours()) for block, _ in played)
    actual = render(type(block)(block.comments, block.commands, answers) for block, answers in played)
    assert actual == expected


@pytest.mark.parametrize("path", scripts(), ids=lambda path: str(path.relative_to(SCRIPTS)))
def test_a_script_is_written_as_it_is_read(path: Path) -> None:
    assert render(parse(path.read_text())) == path.read_text()


def test_departures_survive_new_answers() -> None:
    (block,) = parse("# why\na\nb\n----\n1\n2\nottla: 3\n")
    assert block.kafka() == ["1", "2"]
    assert block.ours() == ["1", "3"]
    assert block.with_answers(["0", "2"]).answers == ["0", "2", "ottla: 3"]
    assert block.with_answers(["0", "3"]).answers == ["0", "3"]

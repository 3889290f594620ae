"""Ottla answers as the transcripts of Apache Kafka 4.4.0 say, or as they say that it departs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.transcripts import SCRIPTS, kafka, ours, play, scripts, with_answers
from tests.support.broker_process import BrokerProcess
from tests.support.scripts import Step, parse, unparse


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
    text = path.read_text()
    expected = [step._replace(transcript="\n".join(ours(step.transcript))) for step in parse(text)]

    assert play(text, broker.address, f"{path.stem}-", lambda _, answers: answers) == unparse(expected)


@pytest.mark.parametrize("path", scripts(), ids=lambda path: str(path.relative_to(SCRIPTS)))
def test_a_script_is_written_as_it_is_read(path: Path) -> None:
    assert unparse(parse(path.read_text())) == path.read_text()


def test_departures_survive_new_answers() -> None:
    step = Step("# why", "a\nb", "1\n2\nottla: 3")
    assert kafka(step.transcript) == ["1", "2"]
    assert ours(step.transcript) == ["1", "3"]
    assert with_answers(step, ["0", "2"]) == ["0", "2", "ottla: 3"]
    assert with_answers(step, ["0", "3"]) == ["0", "3"]

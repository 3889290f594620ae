"""kill -9 at a random moment under load, restart, look, go on: nothing that was acknowledged may be lost, doubled or
out of order.

    python -m tests.faults.kill --rounds 500 [--minutes M] [--seed S] [--dir D] [--no-damage]

Prior art: Kafka's ``ReplicationReplicaFailure`` system tests, Jepsen's crash nemesis. Ours is one process on one
directory, whose files are tampered with between its lives, as a crash may leave them. All choices come from the seed;
the moment of death
itself is a matter of the machine.

Of each round is checked: every acknowledged record is there exactly once, where the producer was told, in order per
producer and partition; what was not answered is retried with the same sequences, and is taken or found to be there;
offsets never
go back; lookups by time agree with a plain walk; topics that were acknowledged are there.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, final

from tests.faults import damage
from tests.faults.confluent_load import ConfluentLoad
from tests.faults.ledger import PartitionModel, Place
from tests.faults.load import LoadProducer, list_offset, read_to_end
from tests.faults.trial import More, Report, Trial, arguments, ended, main
from tests.support.broker_process import partition_directories
from tests.support.raw import Connection
from tests.support.raw_admin import create_topic, new_producer_id, topic_of

PRODUCERS: Final = 4
PARTITIONS: Final = 2
SMALL: Final = {"segment.bytes": 1 << 20, "segment.ms": 4_000, "index.interval.bytes": 512, "retention.ms": -1}
TOPICS: Final[Mapping[str, Mapping[str, str | int]]] = {
    "plain": SMALL,
    "flushed": {**SMALL, "flush.messages": 50},
    "squeezed": {**SMALL, "compression.type": "lz4"},
}
"""``segment.ms`` counts in the records' own time: a millisecond each."""
CONFLUENT_TOPIC: Final = "confluent"
HISTORY_MS: Final = 12 * 3600 * 1000
"""Records are so old when the test begins, so that their time can run faster than the clock."""
LOAD_S: Final = (0.02, 0.7)
DIES_STARTING: Final = 0.25
SETTINGS: Final = {"log.index.interval.bytes": 512, "log.flush.offset.checkpoint.interval.ms": 500}


@final
@dataclass(slots=True)
class Round:
    """How one round went."""

    number: int
    acknowledged: int = 0
    unanswered: int = 0
    damaged: list[str] = field(default_factory=list)
    died_starting: bool = False
    clean: bool = False
    recovery_s: float = 0.0
    ready_s: float = 0.0
    checked: str = ""

    def __str__(self) -> str:
        words = f"round {self.number}: {ended(clean=self.clean, died_starting=self.died_starting)}; "
        words += f"{self.acknowledged:,} requests answered, "
        words += f"{self.unanswered} batches open; "
        words += f"serves after {self.recovery_s:.2f} s, all partitions after {self.ready_s:.2f} s ({self.checked})"
        return words + "".join(f"\n    {said}" for said in self.damaged)


@final
class KillTest:
    """The broker, its producers, and what is known of both. Use ``run``."""

    def __init__(self, directory: Path, seed: int, *, with_damage: bool = True, report: Report = print) -> None:
        self._trial = Trial(directory, seed, SETTINGS, report)
        self._broker = self._trial.broker
        self._random = self._trial.random
        self._seed = seed
        self._damage = with_damage
        self._places = [Place(topic, index) for topic in TOPICS for index in range(PARTITIONS)]
        self._models = {place: PartitionModel(place) for place in self._places}
        self._topics: set[str] = set()
        self._producers: list[LoadProducer] = []
        self._confluent = ConfluentLoad(self._broker.bootstrap_servers, CONFLUENT_TOPIC)

    def run(self, more: More) -> list[Round]:
        """Raises ``AssertionError`` that says what is wrong, with the seed."""
        with self._trial.running():
            with self._connection() as connection:
                self._create(connection)
            with self._confluent:
                done = self._trial.rounds(self._round, more)
                self._whole()
        return done

    def _connection(self) -> Connection:
        return Connection(self._broker.address, "kill-test")

    def _create(self, connection: Connection) -> None:
        for topic, configs in TOPICS.items():
            assert create_topic(connection, topic, PARTITIONS, dict(configs)) == 0
        assert create_topic(connection, CONFLUENT_TOPIC, PARTITIONS, dict(SMALL)) == 0
        first_ms = int(time.time() * 1000) - HISTORY_MS
        self._producers = [
            LoadProducer(number, new_producer_id(connection), self._places, first_ms, self._seed)
            for number in range(PRODUCERS)
        ]

    def _round(self, number: int) -> Round:
        result = self._trial.current = Round(number)
        answers = sum(producer.answers for producer in self._producers)
        self._load(result)
        result.acknowledged = sum(producer.answers for producer in self._producers) - answers
        result.unanswered = sum(len(lane.unanswered) for lane in self._lanes())
        self._tamper(result)
        self._restart(result)
        begun = time.monotonic()
        with self._connection() as connection:
            for producer in self._producers:
                producer.retry(connection)
            result.ready_s = result.recovery_s + time.monotonic() - begun
            self._verify(connection)
            self._topics_are_there(connection)
        return result

    def _lanes(self) -> Iterator[Any]:
        for producer in self._producers:
            yield from producer.lanes.values()

    def _load(self, result: Round) -> None:
        """Load until the broker dies under it; now and then it is stopped well instead."""
        result.clean = self._trial.stops()

        def wait(stopped: threading.Event) -> None:
            with self._connection() as connection:
                topic = f"round-{result.number}"
                assert create_topic(connection, topic) == 0
                self._topics.add(topic)
            stopped.wait(self._random.uniform(*LOAD_S))

        self._trial.under_load([producer.run for producer in self._producers], wait, clean=result.clean)

    def _tamper(self, result: Round) -> None:
        if not self._damage or result.clean:
            return
        names = [*TOPICS, CONFLUENT_TOPIC]
        directories = [path for topic in names for path in partition_directories(self._broker.data_dir, topic)]
        result.damaged = damage.damage(directories, self._random, self._random.choice((0, 1, 3, 8)))

    def _restart(self, result: Round) -> None:
        result.died_starting, result.recovery_s = self._trial.restart(DIES_STARTING)
        result.checked = ", ".join(self._broker.announced.split(" · ")[2::2])

    def _verify(self, connection: Connection) -> None:
        for place, model in self._models.items():
            read_to_end(connection, model)
            for producer in self._producers:
                lane = producer.lanes[place]
                model.settle(lane)
                seen = model.numbers.get(producer.number, 0)
                assert seen == lane.next_number, (
                    f"{place}: producer {producer.number} sent {lane.next_number}, {seen} are there"
                )
            model.seen_first.clear()
            self._times(connection, model)

    def _times(self, connection: Connection, model: PartitionModel) -> None:
        place = model.place
        assert list_offset(connection, place, -1)[0] == model.end
        assert list_offset(connection, place, -2)[0] == 0
        largest, expected = list_offset(connection, place, -3), model.max_timestamp()
        assert largest == expected, f"{place}: the latest record (offset, time) is {expected}, not {largest}"
        if not model.end:
            return
        for _ in range(3):
            wanted = model.timestamps[self._random.randrange(model.end)] + self._random.choice((-1, 0, 1))
            offset = model.offset_for_timestamp(wanted)
            found, _ = list_offset(connection, place, wanted)
            assert found == offset, f"{place}: the first record at or after {wanted} is {offset}, not {found}"

    def _topics_are_there(self, connection: Connection) -> None:
        for topic in self._topics:
            assert topic_of(connection, topic).error_code == 0, f"topic {topic} was created and is gone"

    def _whole(self) -> None:
        """Everything once more, from the first offset on; and what the other client was told."""
        with self._connection() as connection:
            for place in self._places:
                model = PartitionModel(place)
                read_to_end(connection, model)
                assert model.timestamps == self._models[place].timestamps, f"{place}: old records changed"
            self._confluent.verify(connection)


def command() -> int:
    """The command line."""
    parser = arguments(__doc__, rounds=25)
    parser.add_argument("--no-damage", action="store_true", help="leave the files alone between two lives")
    args = parser.parse_args()

    def play(directory: Path, seed: int, more: More, report: Report) -> str:
        rounds = KillTest(directory, seed, with_damage=not args.no_damage, report=report).run(more)
        times = sorted(done.ready_s for done in rounds)
        return f"{len(rounds)} rounds: ready after {times[len(times) // 2]:.2f} s (median), {times[-1]:.2f} s (longest)"

    return main(args, "kill", play)


if __name__ == "__main__":
    sys.exit(command())

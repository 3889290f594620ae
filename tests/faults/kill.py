"""kill -9 at a random moment under load, restart, look, go on: nothing that was acknowledged may be lost, doubled or
out of order.

    python -m tests.faults.kill --rounds 500 [--seed S] [--dir D] [--no-damage]

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

import argparse
import contextlib
import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, final

from tests.faults import damage
from tests.faults.confluent_load import ConfluentLoad
from tests.faults.ledger import PartitionModel, Place
from tests.faults.load import LoadProducer, list_offset, read_to_end
from tests.support.broker_process import BrokerProcess, partition_directories
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
        end = "stopped" if self.clean else "killed"
        twice = ", killed again while it started" if self.died_starting else ""
        words = f"round {self.number}: {end}{twice}; {self.acknowledged:,} requests answered, "
        words += f"{self.unanswered} batches open; "
        words += f"serves after {self.recovery_s:.2f} s, all partitions after {self.ready_s:.2f} s ({self.checked})"
        return words + "".join(f"\n    {said}" for said in self.damaged)


@final
class KillTest:
    """The broker, its producers, and what is known of both. Use ``run``."""

    def __init__(
        self, directory: Path, seed: int, *, with_damage: bool = True, report: Callable[[str], None] = print
    ) -> None:
        self._seed = seed
        self._random = random.Random(seed)
        self._damage = with_damage
        self._report = report
        self._places = [Place(topic, index) for topic in TOPICS for index in range(PARTITIONS)]
        self._models = {place: PartitionModel(place) for place in self._places}
        self._topics: set[str] = set()
        self._producers: list[LoadProducer] = []
        settings = {"log.index.interval.bytes": 512, "log.flush.offset.checkpoint.interval.ms": 500}
        self.broker = BrokerProcess(directory, settings)
        self._current = Round(0)
        self._confluent = ConfluentLoad(self.broker.bootstrap_servers, CONFLUENT_TOPIC)

    def run(self, rounds: int) -> list[Round]:
        """Runs so many rounds; raises ``AssertionError`` that says what is wrong, with the seed."""
        done = []
        try:
            with self.broker:
                self.broker.start()
                with self._connection() as connection:
                    self._create(connection)
                with self._confluent:
                    for number in range(1, rounds + 1):
                        done.append(self._round(number))
                        self._report(str(done[-1]))
                    self._whole()
        except AssertionError as error:
            where = f"seed {self._seed}, {self._current}\n  in {self.broker.data_dir}"
            raise AssertionError(f"{error}\n{where}\n{self.broker.log_tail()}") from error
        return done

    @contextlib.contextmanager
    def _connection(self) -> Iterator[Connection]:
        with Connection(self.broker.address, "kill-test") as connection:
            yield connection

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
        result = self._current = Round(number)
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
        result.clean = self._random.random() < 0.1
        stopped = threading.Event()
        failures: list[BaseException] = []

        def work(producer: LoadProducer) -> None:
            try:
                producer.run(self.broker.address, stopped)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(producer,)) for producer in self._producers]
        for thread in threads:
            thread.start()
        with self._connection() as connection:
            topic = f"round-{result.number}"
            assert create_topic(connection, topic) == 0
            self._topics.add(topic)
        stopped.wait(self._random.uniform(*LOAD_S))
        if result.clean:
            assert self.broker.stop() == 0, "a stop must end with exit code 0"
        else:
            self.broker.kill()
        stopped.set()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def _tamper(self, result: Round) -> None:
        if not self._damage or result.clean:
            return
        names = [*TOPICS, CONFLUENT_TOPIC]
        directories = [path for topic in names for path in partition_directories(self.broker.data_dir, topic)]
        result.damaged = damage.damage(directories, self._random, self._random.choice((0, 1, 3, 8)))

    def _restart(self, result: Round) -> None:
        if self._random.random() < 0.25:
            result.died_starting = True
            self.broker.launch()
            threading.Event().wait(self._random.uniform(0.0, 0.6))
            self.broker.kill()
        result.recovery_s = self.broker.start()
        result.checked = ", ".join(self.broker.announced.split(" · ")[2::2])

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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--seed", type=int, default=None, help="random when not given; said at the end")
    parser.add_argument("--dir", type=Path, default=None, help="an empty directory to work in; kept (a temporary one)")
    parser.add_argument("--no-damage", action="store_true", help="leave the files alone between two lives")
    args = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 32) if args.seed is None else args.seed
    scratch = Path(tempfile.mkdtemp(prefix="ottla-kill-")) if args.dir is None else args.dir
    scratch.mkdir(parents=True, exist_ok=True)
    print(f"seed {seed}, in {scratch}", flush=True)
    rounds = KillTest(
        scratch / "data", seed, with_damage=not args.no_damage, report=lambda line: print(line, flush=True)
    ).run(args.rounds)
    times = sorted(done.ready_s for done in rounds)
    print(f"{len(rounds)} rounds: ready after {times[len(times) // 2]:.2f} s (median), {times[-1]:.2f} s (longest)")
    if args.dir is None:
        shutil.rmtree(scratch)
    return 0


if __name__ == "__main__":
    sys.exit(main())

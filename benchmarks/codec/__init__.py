"""How fast are messages read and written in Python? Decoding and encoding, beside kafka-python's codec.

No broker: pure computation in one thread of a fresh interpreter. A repetition's figure is the best of its rounds, which
is the one that the other processes of the machine disturbed least. The bytes are the same for both codecs, and what
each makes of them is checked.
"""

import importlib.util
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import final

from benchmarks.failure import Skipped
from benchmarks.load import Load
from benchmarks.measure import Metrics, pick
from benchmarks.processes import run
from benchmarks.toolchain import ROOT
from benchmarks.workload import Against, Case, Lifetime, Reach, Trial, Workload


@final
@dataclass(frozen=True, slots=True)
class Parameters:
    message: str
    partitions: int
    seconds: float
    topics: int = 1


def once(_trial: Trial, parameters: Parameters) -> Metrics:
    return measured("ottla", parameters)


def limit(_load: Load, parameters: Parameters) -> Metrics:
    if importlib.util.find_spec("kafka") is None:
        raise Skipped("kafka-python is not installed")
    return pick(measured("kafka-python", parameters), "decodes_s", "encodes_s")  # its process imports Ottla, too


def measured(codec: str, parameters: Parameters) -> Metrics:
    script = Path(__file__).with_name("in_process.py")
    message = [parameters.message, str(parameters.topics), str(parameters.partitions)]
    argv = [sys.executable, str(script), codec, *message, str(parameters.seconds)]
    figures: Metrics = json.loads(run(argv, timeout_s=60 + 10 * parameters.seconds, cwd=ROOT))
    return figures


def case(name: str, message: str, partitions: int, *, topics: int = 1) -> Case[Parameters]:
    return Case(
        name,
        Parameters(message, partitions, seconds=1, topics=topics),
        smoke=Parameters(message, partitions, seconds=0.05, topics=topics),
        reaches=(Reach("decodes_s", 5, Against.KAFKA_PYTHON), Reach("encodes_s", 5, Against.KAFKA_PYTHON)),
        peers=("ottla",),
    )


WORKLOAD = Workload(
    name="codec",
    title="codec",
    cases=(
        case("Metadata, 1 topic of 10,000 partitions", "Metadata", 10_000),
        case("Metadata, 100 topics of 100 partitions", "Metadata", 100, topics=100),
        case("OffsetCommit, 1 partition", "OffsetCommit", 1),
        case("OffsetCommit, 100 partitions", "OffsetCommit", 100),
    ),
    once=once,
    lifetime=Lifetime.STOPPED,
    limit=limit,
    limit_is=Against.KAFKA_PYTHON,
)

"""What do transactions take from throughput? Full batches in transactions of a second, beside the same without.

4 connections with 4 requests in flight each, 1 KiB records in 64 KiB batches, 6 partitions, acks=all. Without
transactions the producers are idempotent, so that the client does the same work. The same is measured before and
after the transactions, so that what the disk does in between hits both; the share is of their mean.
"""

from dataclasses import dataclass
from typing import final

from benchmarks.measure import Metrics, pick
from benchmarks.workload import Against, Case, Reach, Trial, Workload

RECORD_BYTES = 1024
BATCH_RECORDS = 60


@final
@dataclass(frozen=True, slots=True)
class Parameters:
    seconds: float
    transaction_seconds: float
    partitions: int = 6
    connections: int = 4
    in_flight: int = 4


def once(trial: Trial, parameters: Parameters) -> Metrics:
    if not trial.smoke:
        trial.on_this_broker("warm-up", lambda: produce(trial, parameters, parameters.transaction_seconds))
    before = produce(trial, parameters, 0)["mb_s"]
    figures = produce(trial, parameters, parameters.transaction_seconds)
    after = produce(trial, parameters, 0)["mb_s"]
    share = figures["mb_s"] / ((before + after) / 2)
    return {**pick(figures, "mb_s", "cpu_s_per_gb"), "share_of_plain": share}


def produce(trial: Trial, parameters: Parameters, transaction_seconds: float) -> Metrics:
    topic = trial.topic("transactional-produce")
    figures = trial.load.run(
        "stream",
        trial.broker,
        topic=topic,
        partitions=parameters.partitions,
        connections=parameters.connections,
        in_flight=parameters.in_flight,
        records=BATCH_RECORDS,
        record_bytes=RECORD_BYTES,
        seconds=parameters.seconds,
        warm_up=parameters.seconds / 4,
        transaction_seconds=transaction_seconds,
    )
    trial.load.run("delete", trial.broker, topic=topic)
    return figures


WORKLOAD = Workload(
    name="transactional_produce",
    title="produce in transactions of 1 s, 1 KiB records in 64 KiB batches, 6 partitions, acks=all",
    cases=(
        Case(
            "",
            Parameters(seconds=4, transaction_seconds=1),
            smoke=Parameters(seconds=0.2, transaction_seconds=0.05),
            reaches=(Reach("share_of_plain", 0.95, Against.NOTHING),),
        ),
    ),
    once=once,
)

"""Broker keys about transactions and producer ids."""

from __future__ import annotations

from ottla.config.checks import at_least
from ottla.config.definition import BOOLEAN, CLUSTER_WIDE, HIGH, INT, LOW, READ_ONLY, SHORT, Definition, define

# fmt: off
DEFINITIONS: tuple[Definition, ...] = define((
    ("add.partitions.to.txn.retry.backoff.max.ms", INT, 100, at_least(0), READ_ONLY, HIGH,
        "Longest time the broker itself retries adding a partition to a transaction (TV2)."),
    ("add.partitions.to.txn.retry.backoff.ms", INT, 20, at_least(1), READ_ONLY, HIGH,
        "Pause between those retries."),
    ("producer.id.expiration.ms", INT, 86_400_000, at_least(1), CLUSTER_WIDE, LOW,
        "Idle producer state kept per partition."),
    ("transaction.abort.timed.out.transaction.cleanup.interval.ms", INT, 10_000, at_least(1), READ_ONLY, LOW,
        "Period of the transaction timeout sweep."),
    ("transaction.max.timeout.ms", INT, 900_000, at_least(1), READ_ONLY, HIGH,
        "Largest transaction timeout a client may ask."),
    ("transaction.partition.verification.enable", BOOLEAN, True, None, CLUSTER_WIDE, LOW,
        "Check with the coordinator that a partition is in the transaction before the first write."),
    ("transaction.remove.expired.transaction.cleanup.interval.ms", INT, 3_600_000, at_least(1), READ_ONLY, LOW,
        "Period of the transactional id expiry."),
    ("transaction.state.log.load.buffer.size", INT, 5_242_880, at_least(1), READ_ONLY, HIGH,
        "Read size while loading the transaction state."),
    ("transaction.state.log.min.isr", INT, 2, at_least(1), READ_ONLY, HIGH,
        "min.insync.replicas of __transaction_state."),
    ("transaction.state.log.num.partitions", INT, 50, at_least(1), READ_ONLY, HIGH,
        "Partitions of __transaction_state."),
    ("transaction.state.log.replication.factor", SHORT, 3, at_least(1), READ_ONLY, HIGH,
        "Replicas of __transaction_state."),
    ("transaction.state.log.segment.bytes", INT, 104_857_600, at_least(1), READ_ONLY, HIGH,
        "Segment size of __transaction_state."),
    ("transaction.two.phase.commit.enable", BOOLEAN, False, None, READ_ONLY, LOW,
        "Allow enable2Pc in InitProducerId (KIP-939)."),
    ("transactional.id.expiration.ms", INT, 604_800_000, at_least(1), READ_ONLY, HIGH,
        "Idle transactional id is forgotten after this."),
))
DEFINITIONS += define((
    ("producer.id.expiration.check.interval.ms", INT, 600_000, at_least(1), READ_ONLY, LOW,
        "Period of the producer id expiry."),
), internal=True)
# fmt: on

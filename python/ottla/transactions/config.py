"""What the transaction coordinator reads of the broker's configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from ottla.config.values import BrokerConfig

__all__ = ["TransactionsConfig"]


@final
@dataclass(slots=True, frozen=True)
class TransactionsConfig:
    """The defaults are Kafka's."""

    timeout_ms_max: int = 900_000
    """``transaction.max.timeout.ms``"""
    abort_interval_ms: int = 10_000
    """``transaction.abort.timed.out.transaction.cleanup.interval.ms``"""
    expiration_ms: int = 604_800_000
    """``transactional.id.expiration.ms``"""
    expire_interval_ms: int = 3_600_000
    """``transaction.remove.expired.transaction.cleanup.interval.ms``"""
    verify: bool = True
    """``transaction.partition.verification.enable``: ask the coordinator before the first write to a partition."""
    two_phase_commit: bool = False
    """``transaction.two.phase.commit.enable``"""
    wait_ms: int = 100
    """``add.partitions.to.txn.retry.backoff.max.ms``: how long a request waits for a transaction to be complete."""
    append_timeout_ms: int = 30_000
    """``request.timeout.ms``, of everything that the coordinator writes."""

    @staticmethod
    def of(config: BrokerConfig) -> TransactionsConfig:
        """From the broker's configuration."""
        return TransactionsConfig(
            timeout_ms_max=config.integer("transaction.max.timeout.ms"),
            abort_interval_ms=config.integer("transaction.abort.timed.out.transaction.cleanup.interval.ms"),
            expiration_ms=config.integer("transactional.id.expiration.ms"),
            expire_interval_ms=config.integer("transaction.remove.expired.transaction.cleanup.interval.ms"),
            verify=config.boolean("transaction.partition.verification.enable"),
            two_phase_commit=config.boolean("transaction.two.phase.commit.enable"),
            wait_ms=config.integer("add.partitions.to.txn.retry.backoff.max.ms"),
            append_timeout_ms=config.integer("request.timeout.ms"),
        )

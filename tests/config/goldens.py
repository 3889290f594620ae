"""The settings the reference broker had when golden/described.tsv was made."""

from __future__ import annotations

from pathlib import Path

from ottla.config.properties import parse_properties

GOLDEN = Path(__file__).parent / "golden"

CLUSTER_DYNAMIC = {
    # The reference's own: KIP-966 makes min.insync.replicas a dynamic default when it formats.
    "min.insync.replicas": "1",
    "log.retention.ms": "7200000",
    "num.io.threads": "6",
}
NODE_DYNAMIC = {
    "log.cleaner.threads": "2",
    "num.io.threads": "7",
    "leader.replication.throttled.rate": "1000000",
    "log.retention.ms": "3600000",
}
TOPIC_OVERRIDES = {
    "retention.ms": "1000000",
    "cleanup.policy": "compact,delete",
    "segment.bytes": "2097152",
    "min.cleanable.dirty.ratio": "0.25",
    "leader.replication.throttled.replicas": "0:1,1:1",
}


def static_settings() -> dict[str, str]:
    text = (GOLDEN / "server.properties").read_text()
    return {setting.name: setting.text for setting in parse_properties(text, "server.properties")}

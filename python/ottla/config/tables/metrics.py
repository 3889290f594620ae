"""Broker keys about metrics, telemetry and the windows quotas are measured in."""

from __future__ import annotations

from ottla.config.checks import any_list, at_least
from ottla.config.definition import CLASS, CLUSTER_WIDE, INT, LIST, LONG, LOW, READ_ONLY, STRING, Definition, define

# fmt: off
DEFINITIONS: tuple[Definition, ...] = define((
    ("alter.log.dirs.replication.quota.window.num", INT, 11, at_least(1), READ_ONLY, LOW,
        "Samples kept for the dir-move quota."),
    ("alter.log.dirs.replication.quota.window.size.seconds", INT, 1, at_least(1), READ_ONLY, LOW,
        "Length of each sample of the dir-move quota."),
    ("client.quota.callback.class", CLASS, None, None, READ_ONLY, LOW,
        "Plug-in that computes client quotas."),
    ("controller.quota.window.num", INT, 11, at_least(1), READ_ONLY, LOW,
        "Samples of the controller mutation quota."),
    ("controller.quota.window.size.seconds", INT, 1, at_least(1), READ_ONLY, LOW,
        "Length of each sample of the controller mutation quota."),
    ("kafka.metrics.polling.interval.secs", INT, 10, at_least(1), READ_ONLY, LOW,
        "Period of old-style metrics reporters."),
    ("kafka.metrics.reporters", LIST, (), any_list, READ_ONLY, LOW,
        "Old-style (Yammer) reporters."),
    ("metric.reporters", LIST, ("org.apache.kafka.common.metrics.JmxReporter",), any_list, CLUSTER_WIDE, LOW,
        "Metrics reporter classes."),
    ("metrics.num.samples", INT, 2, at_least(1), READ_ONLY, LOW,
        "Samples per metric."),
    ("metrics.recording.level", STRING, "INFO", None, READ_ONLY, LOW,
        "INFO, DEBUG or TRACE."),
    ("metrics.sample.window.ms", LONG, 30_000, at_least(1), READ_ONLY, LOW,
        "Length of a sample."),
    ("quota.window.num", INT, 11, at_least(1), READ_ONLY, LOW,
        "Samples of client quotas."),
    ("quota.window.size.seconds", INT, 1, at_least(1), READ_ONLY, LOW,
        "Length of each sample of client quotas."),
    ("replication.quota.window.num", INT, 11, at_least(1), READ_ONLY, LOW,
        "Samples of replication quotas."),
    ("replication.quota.window.size.seconds", INT, 1, at_least(1), READ_ONLY, LOW,
        "Length of each sample of replication quotas."),
    ("telemetry.max.bytes", INT, 1_048_576, at_least(1), READ_ONLY, LOW,
        "Largest PushTelemetry payload."),
))
# fmt: on

"""Keys of a client-metrics subscription (KIP-714)."""

from __future__ import annotations

from ottla.config.checks import any_list
from ottla.config.definition import INT, LIST, MEDIUM, RESOURCE, Definition, define

# fmt: off
DEFINITIONS: tuple[Definition, ...] = define((
    ("interval.ms", INT, 300_000, None, RESOURCE, MEDIUM,
        "Push interval of matching clients (valid 100..3600000)."),
    ("match", LIST, (), any_list, RESOURCE, MEDIUM,
        "Client selectors key=regex: client_instance_id, client_id, client_software_name, "
        "client_software_version, client_source_address, client_source_port."),
    ("metrics", LIST, (), any_list, RESOURCE, MEDIUM,
        "Metric name prefixes wanted; empty = none, * = all."),
))
# fmt: on

"""Who reads which partition: pure functions from members and topics to an assignment."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ottla.groups.assignors.range import assign_ranges
from ottla.groups.assignors.spec import Assignor
from ottla.groups.assignors.uniform import assign_uniformly

__all__ = ["ASSIGNORS"]

ASSIGNORS: Final[Mapping[str, Assignor]] = MappingProxyType({"uniform": assign_uniformly, "range": assign_ranges})
"""By the name that clients and ``group.consumer.assignors`` say."""

"""Garbage, collected as a broker that is served has it."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

from ottla.cli.serve import COLLECTION_THRESHOLDS

__all__ = ["collecting_as_served"]


@contextlib.contextmanager
def collecting_as_served() -> Iterator[None]:
    """Garbage is collected as ``ottla serve`` has it: what was made before, here by all that pytest holds, is not
    looked through again."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTION_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()

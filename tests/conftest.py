"""What all tests share: hypothesis draws the same examples in every run, and a busy machine fails no test."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("ottla", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=2_000)
settings.load_profile("ottla")

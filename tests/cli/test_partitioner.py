from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.cli.partitioner import Partitioner, murmur2


@pytest.mark.parametrize(
    ("data", "hashed"),
    [
        # Of the tests of Kafka's own hash.
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_the_hash_is_kafkas(data: bytes, hashed: int) -> None:
    assert murmur2(data) == hashed & 0xFFFFFFFF


@given(st.binary(max_size=40), st.integers(1, 1000))
def test_a_key_has_one_partition(key: bytes, count: int) -> None:
    partition = Partitioner(count, Random(1)).choose(key)
    assert 0 <= partition < count
    assert partition == Partitioner(count, Random(2)).choose(key)


@given(st.integers(2, 20), st.integers())
def test_records_without_key_stay_for_a_batch_and_then_go_on(count: int, seed: int) -> None:
    partitioner = Partitioner(count, Random(seed))
    for _ in range(20):
        here = partitioner.choose(None)
        assert partitioner.choose(None) == here
        partitioner.batch_done((here + 1) % count)
        assert partitioner.choose(None) == here
        partitioner.batch_done(here)
        assert partitioner.choose(None) != here
        assert 0 <= partitioner.choose(None) < count


def test_one_partition_is_enough() -> None:
    partitioner = Partitioner(1, Random(1))
    partitioner.batch_done(0)
    assert partitioner.choose(None) == partitioner.choose(b"key") == 0

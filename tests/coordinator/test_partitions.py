from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ottla.coordinator.partitions import partition_of


@given(st.text(max_size=40), st.integers(1, 200))
def test_a_name_is_where_java_looks_for_it(name: str, partitions: int) -> None:
    units = name.encode("utf-16-be")
    value = 0
    for index in range(0, len(units), 2):
        value = (31 * value + (units[index] << 8) + units[index + 1]) % 2**32
    value -= 2**32 * (value >= 2**31)

    assert partition_of(name, partitions) == abs(value) % partitions


def test_the_hash_that_has_no_positive_twin() -> None:
    assert partition_of("polygenelubricants", 50) == 0
    assert partition_of("orders", 50) == 1_008_770_331 % 50

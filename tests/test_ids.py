"""Ids as Kafka prints, reads and makes them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ottla.ids import CLUSTER_METADATA_TOPIC_ID, ZERO_UUID, random_uuid, uuid_from_text, uuid_text


def test_texts_are_kafka_s() -> None:
    assert uuid_text(ZERO_UUID) == "AAAAAAAAAAAAAAAAAAAAAA"
    assert uuid_text(CLUSTER_METADATA_TOPIC_ID) == "AAAAAAAAAAAAAAAAAAAAAQ"
    assert uuid_text(b"\xff" * 16) == "_____________________w"


@settings(derandomize=True)
@given(st.binary(min_size=16, max_size=16))
def test_text_round_trip(data: bytes) -> None:
    assert uuid_from_text(uuid_text(data)) == data


@pytest.mark.parametrize(
    "text", ["", "abc", "A" * 21, "A" * 23, "A" * 21 + "+", "A" * 20 + "é", "AAAA AAAAAAAAAAAAAAAAAA"]
)
def test_bad_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a uuid"):
        uuid_from_text(text)


def test_new_ids_are_of_version_4_and_no_option() -> None:
    bits = random.Random(1)
    made = [random_uuid(bits.randbytes) for _ in range(500)]
    assert len(set(made)) == 500
    assert all(uuid[6] >> 4 == 4 and uuid[8] >> 6 == 2 for uuid in made)
    assert not any(uuid_text(uuid).startswith("-") for uuid in made)
    draws = iter([b"\xfb" * 16, bytes(16)])
    assert random_uuid(lambda count: next(draws)).hex() == "00000000000040008000000000000000"

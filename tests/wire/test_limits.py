"""What lies about its size is refused before anything is made of it, with an error that says where."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from ottla.wire import WireError, decode_request, decode_request_header, encode, encode_request, encode_response
from ottla.wire.k03_metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from ottla.wire.k08_offset_commit import OffsetCommitRequest, OffsetCommitRequestTopic
from ottla.wire.k18_api_versions import ApiVersionsRequest
from ottla.wire.k20_delete_topics import DeleteTopicsRequest
from ottla.wire.k58_envelope import EnvelopeRequest
from ottla.wire.registry import ApiKey


def varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


@pytest.mark.parametrize(
    ("key", "version", "body", "why"),
    [
        (3, 1, (1_000_000).to_bytes(4) + bytes(46), r"topics: 1000000 elements claimed, 46 bytes left \(at byte 0\)"),
        (3, 9, varint(1_000_001) + bytes(47), r"topics: 1000000 elements claimed, 47 bytes left"),
        (3, 1, (0x7FFF_FFFF).to_bytes(4) + bytes(46), r"topics: 2147483647 elements, at most 1000000 are taken"),
        (3, 0, (-2).to_bytes(4, signed=True) + bytes(46), r"topics: null, which this version does not allow"),
        (3, 0, (-1).to_bytes(4, signed=True), r"topics: null, which this version does not allow"),
        (3, 9, b"\xff\xff\xff\xff\x0f" + bytes(46), r"topics: the length -2"),
        (3, 9, b"\xff\xff\xff\xff\x7f" + bytes(46), r"topics: a varint of more than 32 bits"),
        (3, 1, (1).to_bytes(4) + (-7).to_bytes(2, signed=True), r"topics\[0\]\.name: null, which .* \(at byte 4\)"),
        (3, 1, (1).to_bytes(4) + (30_000).to_bytes(2) + b"abc", r"topics\[0\]\.name: 30000 bytes wanted, 3 left"),
        (18, 3, b"\1\1" + varint(10_001) + b"\x09\0" * 10_001, r"10001 elements, at most 10000 are taken"),
        (18, 3, b"\1\1" + b"\1\x09\x05\0", r"5 bytes wanted, 1 left"),
        (58, 0, varint(0x7FFF_FFFF) + bytes(40), r"request_data: 2147483646 bytes wanted, 40 left"),
    ],
)
def test_lies_are_refused_without_allocation(key: int, version: int, body: bytes, why: str) -> None:
    decode = decode_request
    with pytest.raises(WireError):
        decode(key, version, b"")
    tracemalloc.start()
    try:
        with pytest.raises(WireError, match=why):
            decode(key, version, body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 60_000


def test_arrays_within_arrays_are_counted_together() -> None:
    """Each is as long as it may be, and all of them would be gigabytes of objects."""
    topic = b"\0\1t" + (999_999).to_bytes(4) + bytes(4 * 999_999)
    body = bytes(12) + (5).to_bytes(4) + topic * 5
    with pytest.raises(WireError, match=r"topics\[3\]\.partitions: 4000001 elements, at most 4000000 are taken"):
        decode_request(24, 1, body)


def test_ten_thousand_unknown_tags_are_read() -> None:
    body = b"\2a\2b" + varint(10_000) + b"\x09\1x" * 10_000
    assert decode_request(18, 3, body) == ApiVersionsRequest(client_software_name="a", client_software_version="b")


@pytest.mark.parametrize(
    ("message", "version", "why"),
    [
        (MetadataRequest(topics=(MetadataRequestTopic(name=None),)), 1, r"MetadataRequest v1: topics\[0\]\.name: null"),
        (MetadataRequest(topics=(MetadataRequestTopic(name="x" * 32_768),)), 9, "a string of 32768 bytes"),
        (MetadataRequest(topics=(MetadataRequestTopic(name="\ud800"),)), 9, "a string that UTF-8 can say"),
        (MetadataRequest(topics=None), 0, "topics: null"),
        (MetadataRequest(allow_auto_topic_creation=False), 3, "allow_auto_topic_creation: not the default"),
        (MetadataResponse(controller_id=1 << 31), 9, "controller_id: not between -2147483648 and 2147483647"),
        (MetadataResponse(controller_id=1 << 70), 9, "controller_id: a number of at most 64 bits wanted, found int"),
        (DeleteTopicsRequest(topics=5), 6, "topics: a tuple or a list wanted, found int"),  # type: ignore[arg-type]
        (DeleteTopicsRequest(topics=("a",)), 6, r"topics\[0\]\.name: a struct wanted, found str"),  # type: ignore
        (OffsetCommitRequest(topics=(OffsetCommitRequestTopic(topic_id=b"short"),)), 10, "a uuid of 16 bytes wanted"),
        (EnvelopeRequest(request_data="text"), 0, "request_data: bytes wanted, found str"),  # type: ignore[arg-type]
    ],
)
def test_messages_that_have_no_bytes(message: Any, version: int, why: str) -> None:
    with pytest.raises(WireError, match=why):
        encode(message, version)


def test_unknown_versions_and_keys_are_the_caller_s_mistake() -> None:
    with pytest.raises(ValueError, match="MetadataRequest has no version 14") as caught:
        encode_request(MetadataRequest(), 14)
    assert not isinstance(caught.value, WireError)
    with pytest.raises(ValueError, match="4 is not a valid ApiKey"):
        decode_request(4, 0, b"")
    with pytest.raises(ValueError, match="999 is not a valid ApiKey"):
        decode_request_header((999).to_bytes(2) + bytes(20))
    with pytest.raises(WireError, match="2 left"):
        decode_request_header(b"\0\0")


def test_bad_utf_8_is_replaced_as_java_does() -> None:
    body = (1).to_bytes(4) + (3).to_bytes(2) + b"a\xffb"
    assert decode_request(3, 1, body).topics[0].name == "a\ufffdb"


def test_bytes_behind_a_message_are_left_alone() -> None:
    body = encode_request(MetadataRequest(topics=()), 4)
    assert decode_request(3, 4, body + b"more") == MetadataRequest(topics=())


def test_lists_are_taken_for_tuples() -> None:
    topics = [MetadataRequestTopic(name="a")]
    listed = MetadataRequest(topics=topics)  # type: ignore[arg-type]
    assert encode(listed, 9) == encode(MetadataRequest(topics=tuple(topics)), 9)
    # An empty list is an empty array's default, too.
    assert encode_response(MetadataResponse(brokers=[]), 0).body == bytes(8)  # type: ignore[arg-type]


def test_numbers_of_a_subclass_are_numbers() -> None:
    assert encode(MetadataResponse(controller_id=ApiKey.METADATA), 9) == encode(MetadataResponse(controller_id=3), 9)

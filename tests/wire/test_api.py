"""Headers, throttle offsets, the registry, and what the classes of messages are."""

from __future__ import annotations

import copy
import os
import pickle
import random
import subprocess
import sys

import pytest

from ottla import wire
from ottla.wire.headers import RequestHeader
from ottla.wire.k03_metadata import MetadataRequest, MetadataResponse, MetadataResponseTopic
from ottla.wire.registry import ApiKey
from ottla.wire.schema import fields_of, schema_of, versions
from tests.support.messages import sample


def test_throttle_offset_is_where_the_throttle_time_is() -> None:
    """78 responses carry it, seven not as their first field, one only in some versions."""
    carrying, not_first = set(), set()
    for key in ApiKey:
        cls = wire.response_class(key)
        for version in schema_of(cls).valid:
            message = sample(cls, version, random.Random(version))
            encoded = wire.encode_response(message, version)
            field = next((f for f in fields_of(cls) if f.attribute == "throttle_time_ms"), None)
            if field is None or version not in field.versions:
                assert encoded.throttle_offset is None
                continue
            carrying.add(key)
            offset = encoded.throttle_offset
            assert offset is not None
            not_first |= {key} if offset else set()
            patched = encoded.body[:offset] + (123_456).to_bytes(4) + encoded.body[offset + 4 :]
            assert wire.decode_response(key, version, patched) == wire.replace(message, throttle_time_ms=123_456)
    assert len(carrying) == 78
    assert {ApiKey(key).name for key in not_first} == {
        "API_VERSIONS",
        "CREATE_DELEGATION_TOKEN",
        "DESCRIBE_DELEGATION_TOKEN",
        "EXPIRE_DELEGATION_TOKEN",
        "OFFSET_DELETE",
        "PRODUCE",
        "RENEW_DELEGATION_TOKEN",
    }


@pytest.mark.parametrize(
    ("key", "version", "request_header", "response_header"),
    [(3, 8, 1, 0), (3, 9, 2, 1), (18, 2, 1, 0), (18, 3, 2, 0), (17, 1, 1, 0), (47, 0, 1, 0), (0, 13, 2, 1)],
)
def test_header_versions(key: int, version: int, request_header: int, response_header: int) -> None:
    assert wire.request_header_version(key, version) == request_header
    assert wire.response_header_version(key, version) == response_header
    header = RequestHeader(request_api_key=key, request_api_version=version, correlation_id=7, client_id="me")
    frame = wire.encode_request_header(header)
    expected = key.to_bytes(2) + version.to_bytes(2) + b"\0\0\0\7\0\2me" + b"\0" * (request_header - 1)
    assert frame == expected
    assert wire.decode_request_header(frame + b"body") == (header, len(frame))
    answer = wire.encode_response_header(key, version, 7)
    assert answer == b"\0\0\0\7" + b"\0" * response_header
    assert wire.decode_response_header(key, version, answer + b"body")[1] == len(answer)


def test_versions() -> None:
    assert [versions(text) for text in ("0-6", "3", "none")] == [range(7), range(3, 4), range(0)]
    assert 32_767 in versions("2+")
    assert 1 not in versions("2+")


def test_messages_are_values() -> None:
    topic = MetadataResponseTopic(name="a")
    assert topic == MetadataResponseTopic(name="a") != MetadataResponseTopic(name="b")
    assert hash(topic) == hash(MetadataResponseTopic(name="a"))
    assert repr(MetadataResponse(topics=(topic,))) == "MetadataResponse(topics=(MetadataResponseTopic(name='a'),))"
    assert wire.replace(topic, error_code=3) == MetadataResponseTopic(name="a", error_code=3)
    assert copy.deepcopy(topic) == topic == pickle.loads(pickle.dumps(topic))
    with pytest.raises(TypeError):
        MetadataRequest(topic=())  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        topic.nmae = "b"  # type: ignore[attr-defined]


def test_topic_names_are_shared_between_messages() -> None:
    body = wire.encode_request(
        MetadataRequest(topics=(wire.k03_metadata.MetadataRequestTopic(name="shared topic"),)), 9
    )
    first, second = (wire.decode_request(3, 9, body).topics[0].name for _ in range(2))
    assert first is second


def test_messages_are_frozen_when_tests_ask_for_it() -> None:
    program = (
        "from ottla import wire\n"
        "request = wire.decode_request(3, 4, wire.encode_request(wire.request_class(3)(), 4))\n"
        "try: request.topics = None\n"
        "except AttributeError as error: print(error)\n"
    )
    environment = {**os.environ, "OTTLA_FREEZE_MESSAGES": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout == "MetadataRequest is frozen\n"


def test_importing_the_registry_imports_no_message() -> None:
    program = (
        "import sys, ottla.wire\n"
        "print(*[name for name in sys.modules if name.startswith('ottla.wire.k') or name in ('construct', 'inspect')])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout == "\n"

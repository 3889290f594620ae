"""ApiVersions: every version, an unknown one, and that what is said is what is served."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ottla.api.table import TABLE
from ottla.wire import decode_response, encode_request_header
from ottla.wire.headers import RequestHeader
from ottla.wire.k18_api_versions import ApiVersionsRequest
from tests.plane.conftest import ELSEWHERE
from tests.support.raw import Connection


def request(**fields: Any) -> ApiVersionsRequest:
    return ApiVersionsRequest(client_software_name="raw", client_software_version="1.0", **fields)


@pytest.mark.parametrize("version", range(6))
def test_every_version(connection: Connection, version: int) -> None:
    answer = connection.ask(request(), version)
    assert answer.error_code == 0
    told = {api.api_key: (api.min_version, api.max_version) for api in answer.api_keys}
    assert told[18] == (0, 5)
    assert told[0] == (0, 13)
    if ELSEWHERE is None:
        assert told == {
            api.key: (shown[0], shown[-1])
            for api in TABLE
            if (shown := api.versions if api.advertised is None else api.advertised)
        }
    if version >= 3:
        assert answer.finalized_features_epoch >= 0
        supported = {feature.name for feature in answer.supported_features}
        finalized = {feature.name: feature.max_version_level for feature in answer.finalized_features}
        assert "metadata.version" in supported
        # Clients below v4 cannot read a smallest level of 0 (KAFKA-17011): such a feature is left out for them.
        assert ("kraft.version" in supported) == (version >= 4)
        assert finalized["metadata.version"] > 0


@pytest.mark.parametrize("version", [6, 7, 1000, 32767])
def test_an_unknown_version_is_answered_in_the_first(connection: Connection, version: int) -> None:
    """KIP-511; the body is not looked at."""
    header = RequestHeader(request_api_key=18, request_api_version=version, correlation_id=5, client_id="raw")
    connection.send_frame(encode_request_header(header) + b"\x07junk")
    frame = connection.receive_frame()
    assert frame[:4] == (5).to_bytes(4)
    answer = decode_response(18, 0, frame, 4)
    assert answer.error_code == 35
    assert [(api.api_key, api.min_version, api.max_version) for api in answer.api_keys] == [(18, 0, 5)]
    assert connection.ask(request(), 4).error_code == 0


def test_bad_software_names(connection: Connection) -> None:
    for name, version in (("", "1"), ("raw", ""), ("-raw", "1"), ("raw", "1."), ("ra w", "1"), ("räw", "1")):
        answer = connection.ask(ApiVersionsRequest(client_software_name=name, client_software_version=version), 3)
        assert answer.error_code == 42, (name, version)
        assert answer.api_keys == ()
    assert (
        connection.ask(ApiVersionsRequest(client_software_name="a.b-c", client_software_version="0"), 3).error_code == 0
    )


def test_the_wrong_cluster_is_told_to_start_anew(connection: Connection, bootstrap: str) -> None:
    """KIP-1242: which broker of which cluster the client thinks this is."""
    from ottla.wire.k03_metadata import MetadataRequest

    known = connection.ask(MetadataRequest(topics=()), 12)
    node_id = known.brokers[0].node_id
    assert connection.ask(request(cluster_id=known.cluster_id, node_id=node_id), 5).error_code == 0
    assert connection.ask(request(cluster_id="another", node_id=node_id), 5).error_code == 129
    assert connection.ask(request(cluster_id=known.cluster_id, node_id=node_id + 1), 5).error_code == 129
    assert connection.ask(request(cluster_id=known.cluster_id), 5).error_code == 42
    assert connection.ask(request(node_id=node_id), 5).error_code == 42


@pytest.mark.parametrize("key", [4, 5, 999, 32767, -1])
def test_an_unknown_api_closes_the_connection(connect: Callable[[], Connection], key: int) -> None:
    bystander, connection = connect(), connect()
    frame = key.to_bytes(2, signed=True) + (0).to_bytes(2) + (1).to_bytes(4) + (3).to_bytes(2) + b"raw"
    connection.send_frame(frame)
    assert connection.is_closed_by_peer()
    assert bystander.ask(request(), 3).error_code == 0

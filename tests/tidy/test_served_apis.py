"""Every row of ``api/table.py`` has its words, its handler and its tests; and ApiVersions says what the table says."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

import pytest

from ottla.api.table import TABLE, Api, Side
from ottla.wire.codec import decode
from ottla.wire.k18_api_versions import ApiVersionsRequest, ApiVersionsResponse
from ottla.wire.registry import ApiKey, request_class, response_class
from ottla.wire.schema import schema_of
from tests.support.engine import engine
from tests.support.frames import request_frame
from tests.tidy.sources import CORE, PACKAGE, ROOT

NAMED: Final = pytest.mark.parametrize("api", TABLE, ids=lambda api: str(api.name))


def _stem(api: Api) -> str:
    return ApiKey(api.key).name.lower()


@NAMED
def test_a_row_has_words_a_handler_and_tests(api: Api) -> None:
    for declared, suffix in ((request_class(api.key), "Request"), (response_class(api.key), "Response")):
        assert schema_of(declared).name == f"{api.name}{suffix}"
        assert schema_of(declared).api_key == api.key
    stem = f"k{api.key:02d}_{_stem(api)}"
    assert (PACKAGE / "wire" / f"{stem}.py").exists()
    if api.handler is not None:
        assert (PACKAGE / "api" / f"{stem}.py").exists()
        sources = [*(ROOT / "tests" / "api").glob("*.py"), ROOT / "tests" / "support" / "api_scripts.py"]
        assert any(f"{api.name}Request(" in path.read_text() for path in sources), f"nobody tests {api.name}"
    if api.side is Side.RUST:
        assert (CORE / "plane" / f"{_stem(api)}.rs").exists()
        tests = (CORE / "wire" / "tests").glob("*.rs")
        assert any(f"{api.name}Request" in path.read_text() for path in tests), f"nobody tests {api.name}"


@pytest.mark.parametrize("version", schema_of(ApiVersionsRequest).valid)
def test_api_versions_says_what_the_table_says(version: int, tmp_path: Path) -> None:
    request = ApiVersionsRequest(client_software_name="tidy", client_software_version="1")
    with engine(tmp_path) as serving, serving.connect() as client:
        client.sendall(request_frame(request, version, 7, "tidy"))
        with client.makefile("rb") as answers:
            (length,) = struct.unpack(">i", answers.read(4))
            body = answers.read(length)
    response = decode(ApiVersionsResponse, version, body, 4)
    told = [(row.api_key, row.min_version, row.max_version) for row in response.api_keys]
    shown = [(api.key, api.versions if api.advertised is None else api.advertised) for api in TABLE]
    assert told == [(key, versions[0], versions[-1]) for key, versions in shown]

from __future__ import annotations

from pathlib import Path

from ottla.api.table import TABLE, Authorization, Side, by_key
from ottla.wire.registry import request_class
from ottla.wire.schema import schema_of


def test_rows_are_in_order_and_unique() -> None:
    assert [api.key for api in TABLE] == sorted(by_key)


def test_every_row_is_what_the_declarations_say() -> None:
    for api in TABLE:
        schema = schema_of(request_class(api.key))
        assert schema.name == f"{api.name}Request"
        assert "broker" in schema.listeners
        unstable = 1 if schema.latest_version_unstable else 0
        assert api.versions.start == schema.valid.start
        assert api.versions.stop == schema.valid.stop - unstable
        assert api.advertised is None or (api.key, api.advertised) == (0, range(14))


def test_python_rows_have_a_handler_in_the_file_of_their_stem() -> None:
    for api in TABLE:
        if api.side is Side.PYTHON:
            assert api.handler is not None
            assert api.authorize is not Authorization.DATA_PLANE
        if api.handler is not None:
            stem = api.handler.__module__.rsplit(".", 1)[1]
            wire = Path(request_class(api.key).__module__.replace(".", "/")).name
            assert stem == wire

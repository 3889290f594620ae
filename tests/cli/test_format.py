from __future__ import annotations

import pytest

from ottla._core import Record, build_batch, decode_batches
from ottla.cli.errors import UsageError
from ottla.cli.format import compile_format


def _record(key: bytes | None, value: bytes | None, *headers: tuple[str, bytes | None]) -> Record:
    (batch,) = decode_batches(build_batch([(key, value, 99, headers)], base_offset=5)).batches
    return batch.records[0]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (r"%s\n", b"value\n"),
        ("%t %p %o %T", b"orders 3 5 99"),
        ("%k=%s;%K %S", b"key=value;3 5"),
        ("%h", b"a=1,b="),
        (r"100%%\t\r\0\\\x41\xff", b"100%\t\r\0\\A\xff"),
        ("é", "é".encode()),
        ("", b""),
    ],
)
def test_fields_and_escapes(text: str, written: bytes) -> None:
    record = _record(b"key", b"value", ("a", b"1"), ("b", None))
    assert compile_format(text)("orders", 3, record) == written


def test_nulls_are_nothing_but_their_length_says_so() -> None:
    assert compile_format("[%k|%s|%h] %K %S")("t", 0, _record(None, None)) == b"[||] -1 -1"


@pytest.mark.parametrize("text", ["%", "%q", "\\", r"\q", r"\x4", r"\xzz"])
def test_what_is_no_format(text: str) -> None:
    with pytest.raises(UsageError, match="-f: there is no"):
        compile_format(text)

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.controller.format import MetaProperties, MetaPropertiesError, decode_meta, encode_meta
from ottla.ids import DirectoryId, is_reserved

META = MetaProperties("AAAAAAAAAAAAAAAAAAAAAQ", 1, DirectoryId(bytes(range(16))))


def test_text_is_kafkas() -> None:
    assert encode_meta(META, "Sat Nov 21 09:22:58 UTC 2026") == (
        "#\n#Sat Nov 21 09:22:58 UTC 2026\ncluster.id=AAAAAAAAAAAAAAAAAAAAAQ\n"
        "directory.id=AAECAwQFBgcICQoLDA0ODw\nnode.id=1\nversion=1\n"
    )


@given(st.integers(0, 2**31 - 1), st.binary(min_size=16, max_size=16).filter(lambda raw: not is_reserved(raw)))
def test_reads_what_it_writes(node_id: int, directory: bytes) -> None:
    meta = MetaProperties("cluster", node_id, DirectoryId(directory))

    assert decode_meta(encode_meta(meta, "now"), "x") == meta


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "version is None"),
        ("version=0\nbroker.id=1\n", "ZooKeeper"),
        ("version=1\nnode.id=1\ndirectory.id=AAECAwQFBgcICQoLDA0ODw\n", "cluster.id is missing"),
        ("version=1\ncluster.id=c\nnode.id=one\ndirectory.id=AAECAwQFBgcICQoLDA0ODw\n", "invalid literal"),
        ("version=1\ncluster.id=c\nnode.id=1\ndirectory.id=zz\n", "not a uuid"),
        ("version=1\ncluster.id=c\nnode.id=1\ndirectory.id=AAAAAAAAAAAAAAAAAAAAAQ\n", "reserved"),
    ],
)
def test_refuses_what_is_not_one(text: str, words: str) -> None:
    with pytest.raises(MetaPropertiesError, match=words):
        decode_meta(text, "/data/meta.properties")

"""Every declaration, compared field by field with the schemas inside the jars of Kafka."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from ottla.wire.registry import REMOVED, ApiKey
from ottla.wire.schema import Field, Kind, fields_of, schema_of, versions
from tests.support.kafka_jars import schemas
from tests.support.messages import all_messages

Rows = dict[str, dict[str, Any]]

_PRIMITIVES: Final = {kind.name.lower() for kind in Kind} - {"name", "struct"}
_NAMES: Final = {Kind.NAME: "string"}


@pytest.fixture(scope="module")
def kafka() -> dict[str, dict[str, Any]]:
    return schemas()


def test_declares_what_kafka_declares(kafka: dict[str, dict[str, Any]]) -> None:
    ours = {schema_of(cls).name: _declared(cls) for cls in all_messages()}
    theirs = {name: _published(schema) for name, schema in kafka.items() if schema["validVersions"] != "none"}
    differences = [f"{name}: missing" for name in theirs.keys() - ours.keys()]
    differences += [f"{name}: not Kafka's" for name in ours.keys() - theirs.keys()]
    for name in ours.keys() & theirs.keys():
        differences += [f"{name}{line}" for line in _differences(ours[name], theirs[name])]
    assert not differences, "\n".join(sorted(differences))


def test_removed_apis_have_no_versions_in_kafka(kafka: dict[str, dict[str, Any]]) -> None:
    gone = {(s["apiKey"], name) for name, s in kafka.items() if s["validVersions"] == "none"}
    assert gone == {(key, name + kind) for key, name in REMOVED.items() for kind in ("Request", "Response")}


def test_keys_have_kafka_s_names(kafka: dict[str, dict[str, Any]]) -> None:
    theirs = {s["apiKey"]: name.removesuffix("Request") for name, s in kafka.items() if s["type"] == "request"}
    assert theirs.keys() == {*map(int, ApiKey), *REMOVED}


def test_names_of_topics_are_shared(kafka: dict[str, dict[str, Any]]) -> None:
    """What Kafka marks as the name of a topic is a ``Name``, so that decoding shares it."""
    marked = {
        f"{name}{path}"
        for name, schema in kafka.items()
        for path, field in _walk_json(schema)
        if field.get("entityType") == "topicName"
    }
    named = {
        f"{schema_of(cls).name}{path}"
        for cls in all_messages()
        for path, field in _walk(cls)
        if field.kind is Kind.NAME
    }
    assert marked <= named, "\n".join(sorted(marked - named))


def test_a_difference_is_seen(kafka: dict[str, dict[str, Any]]) -> None:
    """The comparison itself: one changed fact at a time is reported, and nothing else."""
    name = "OffsetCommitRequest"
    ours = next(_declared(cls) for cls in all_messages() if schema_of(cls).name == name)
    changes = {"valid": versions("0"), "flexible": versions("none"), "listeners": (), "unstable": True}
    for fact, value in changes.items():
        assert len(_differences(ours, {**ours, "": {**ours[""], fact: value}})) == 1
    path = ".Topics.Partitions.CommittedLeaderEpoch"
    for fact in ours[path]:
        assert len(_differences(ours, {**ours, path: {**ours[path], fact: "changed"}})) == 1
    without = {other: row for other, row in ours.items() if other != path}
    assert _differences(ours, without) == [f"{path}: not Kafka's"]
    assert _differences(without, ours) == [f"{path}: missing"]


def _differences(ours: Rows, theirs: Rows) -> list[str]:
    lines = [f"{path}: missing" for path in theirs.keys() - ours.keys()]
    lines += [f"{path}: not Kafka's" for path in ours.keys() - theirs.keys()]
    for path in ours.keys() & theirs.keys():
        for fact, value in theirs[path].items():
            if ours[path][fact] != value:
                lines.append(f"{path}: {fact} is {ours[path][fact]!r}, Kafka's is {value!r}")
    common = [[path for path in rows if path in ours and path in theirs] for rows in (ours, theirs)]
    if common[0] != common[1]:
        lines.append(": the fields are in another order")
    return lines


def _declared(cls: type) -> Rows:
    schema = schema_of(cls)
    rows: Rows = {
        "": {
            "kind": schema.kind,
            "api key": schema.api_key,
            "valid": schema.valid,
            "flexible": schema.flexible,
            "listeners": schema.listeners,
            "unstable": schema.latest_version_unstable,
        }
    }
    for path, field in _walk(cls):
        kind = field.struct.__kafka_name__ if field.struct else _NAMES.get(field.kind, field.kind.name.lower())
        rows[path] = {
            "type": "[]" * field.array + kind,
            "versions": field.versions,
            "nullable": field.nullable,
            "default": "all defaults"
            if field.struct and not field.array and field.default is not None
            else field.default,
            "tag": field.tag,
            "tagged": field.tagged,
            "ignorable": field.ignorable,
            "flexible": field.flexible,
        }
    return rows


def _walk(cls: type, path: str = "") -> Iterator[tuple[str, Field]]:
    for field in fields_of(cls):
        yield f"{path}.{field.name}", field
        if field.struct:
            yield from _walk(field.struct, f"{path}.{field.name}")


def _published(schema: dict[str, Any]) -> Rows:
    rows: Rows = {
        "": {
            "kind": schema["type"],
            "api key": schema.get("apiKey"),
            "valid": versions(schema["validVersions"]),
            "flexible": versions(schema.get("flexibleVersions", "none")),
            "listeners": tuple(schema.get("listeners", ())),
            "unstable": schema.get("latestVersionUnstable", False),
        }
    }
    for path, field in _walk_json(schema):
        flexible = field.get("flexibleVersions")
        rows[path] = {
            "type": field["type"],
            "versions": versions(field.get("versions") or field["taggedVersions"]),
            "nullable": versions(field.get("nullableVersions", "none")),
            "default": _default(field),
            "tag": field.get("tag"),
            "tagged": versions(field.get("taggedVersions", "none")),
            "ignorable": field.get("ignorable", False),
            "flexible": None if flexible is None else versions(flexible),
        }
    return rows


def _walk_json(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    common = {struct["name"]: struct["fields"] for struct in schema.get("commonStructs", ())}

    def walk(fields: list[dict[str, Any]], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for field in fields:
            yield f"{path}.{field['name']}", field
            base = field["type"].removeprefix("[]")
            if base not in _PRIMITIVES:
                yield from walk(field.get("fields") or common[base], f"{path}.{field['name']}")

    return walk(schema.get("fields", []), "")


def _default(field: dict[str, Any]) -> Any:
    """The default as Kafka's generator understands it: the word ``null`` is null, a JSON null is no default at all."""
    kind, text = field["type"], field.get("default")
    if text == "null":
        return None
    if text is None:
        text = ""
    if kind.startswith("[]"):
        return ()
    match kind:
        case "bool":
            return str(text).lower() == "true"
        case "string":
            return text
        case "bytes":
            return b""
        case "records":
            return None if "nullableVersions" in field else b""
        case "uuid":
            return bytes(16)
        case "float64":
            return float(text or 0)
        case _ if kind in _PRIMITIVES:
            return int(str(text), 0) if text != "" else 0
        case _:
            return "all defaults"

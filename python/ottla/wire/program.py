"""Lowers a declaration in one version to the program that the interpreter in Rust executes.

A program is handed over once, as plain tuples: structs after those they contain, each with the class to build and a
row per field: attribute, kind, flags, struct, tag, default. Everything that depends on the version is decided here.
"""

from __future__ import annotations

from typing import Any, Final

from ottla._core import Program
from ottla.wire.schema import Field, Schema, fields_of, schema_of

ARRAY: Final = 1
NULLABLE: Final = 2
COMPACT: Final = 4
TAGGED: Final = 8
ABSENT: Final = 16
IGNORABLE: Final = 32

Row = tuple[str, int, int, int, int, Any]
"""Attribute, kind, flags, index of the struct or 0, tag or 0, default."""

_programs: Final[dict[tuple[type, int], Program]] = {}


def program_of(cls: type, version: int) -> Program:
    """The program of a message class; lowered at the first use of (class, version).

    Raises ``ValueError`` for a version that the message has not.
    """
    program = _programs.get((cls, version))
    if program is None:
        schema = schema_of(cls)
        if version not in schema.valid:
            raise ValueError(f"{schema.name} has no version {version}")
        program = Program(f"{schema.name} v{version}", lower(cls, version), "throttle_time_ms")
        _programs[cls, version] = program
    return program


def lower(cls: type, version: int) -> list[tuple[type, bool, list[Row]]]:
    """The structs of a message, the message last: class, whether it ends with tags, its rows."""
    structs: list[tuple[type, bool, list[Row]]] = []
    _lower_struct(cls, version, schema_of(cls), structs, {})
    return structs


def _lower_struct(
    cls: type,
    version: int,
    schema: Schema,
    structs: list[tuple[type, bool, list[Row]]],
    indexes: dict[type, int],
) -> int:
    index = indexes.get(cls)
    if index is None:
        rows = []
        for field in fields_of(cls):
            inner = 0
            if field.struct is not None and version in field.versions:
                inner = _lower_struct(field.struct, version, schema, structs, indexes)
            rows.append(_row(field, version, schema, inner))
        index = indexes[cls] = len(structs)
        structs.append((cls, version in schema.flexible, rows))
    return index


def _row(field: Field, version: int, schema: Schema, struct: int) -> Row:
    flags = ARRAY * field.array | NULLABLE * (version in field.nullable)
    flags |= COMPACT * (version in (schema.flexible if field.flexible is None else field.flexible))
    tag = 0
    if version not in field.versions:
        flags |= ABSENT | IGNORABLE * field.ignorable
    elif version in field.tagged:
        assert field.tag is not None
        flags |= TAGGED
        tag = field.tag
    return (field.attribute, int(field.kind), flags, struct, tag, field.default)

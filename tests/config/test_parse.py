"""Held against Kafka's ConfigDef: golden/parsed.tsv has, for samples at the limits of each key, what it made of them.

Columns: scope, key, text, `= value` or `! message`.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.config import parse, registry
from ottla.config.checks import any_list
from ottla.config.definition import LOW, READ_ONLY, ConfigError, ConfigType, Definition, Required, Value
from ottla.config.doubles import java_double
from tests.config.goldens import GOLDEN

_SCOPES = {
    "broker": registry.BROKER,
    "topic": registry.TOPIC,
    "group": registry.GROUP,
    "client-metrics": registry.CLIENT_METRICS,
    "quota-user-client": registry.USER_CLIENT_QUOTA,
    "quota-ip": registry.IP_QUOTA,
    "broker-quota": registry.BROKER_QUOTA,
}


@pytest.mark.parametrize("scope", _SCOPES)
def test_texts_are_read_as_kafka_reads_them(scope: str) -> None:
    rows = [line.split("\t") for line in (GOLDEN / "parsed.tsv").read_text().splitlines()]
    checked = 0
    for _, name, text, expected in (row for row in rows if row[0] == scope):
        definition = _SCOPES[scope][name]
        try:
            found = f"= {parse.value_to_text(definition.type, parse.parse_value(definition, text))}"
        except ConfigError as error:
            found = f"! {error}"
        assert found == expected, (name, text)
        checked += 1
    assert checked


def test_every_key_is_there_once() -> None:
    assert {scope: len(keys) for scope, keys in _SCOPES.items()} == {
        "broker": 379,
        "topic": 38,
        "group": 27,
        "client-metrics": 3,
        "quota-user-client": 4,
        "quota-ip": 1,
        "broker-quota": 3,
    }


_PYTHON_TYPES: dict[ConfigType, type] = {
    ConfigType.BOOLEAN: bool,
    ConfigType.INT: int,
    ConfigType.SHORT: int,
    ConfigType.LONG: int,
    ConfigType.DOUBLE: float,
    ConfigType.LIST: tuple,
    ConfigType.STRING: str,
    ConfigType.CLASS: str,
    ConfigType.PASSWORD: str,
}


@pytest.mark.parametrize("scope", _SCOPES)
def test_a_default_is_a_value_of_its_type_that_its_check_takes(scope: str) -> None:
    for definition in _SCOPES[scope].values():
        default = definition.default
        if default is None or isinstance(default, Required):
            continue
        assert type(default) is _PYTHON_TYPES[definition.type], definition.name
        # Kafka's own exceptions: they are unset by default and may not be set to nothing.
        if definition.check is not None and default != ():
            definition.check(definition.name, default)


def _plain(type_: ConfigType) -> Definition:
    check = any_list if type_ is ConfigType.LIST else None
    return Definition("key", type_, None, check, READ_ONLY, LOW, "")


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        (ConfigType.INT, " 5 ", 5),
        (ConfigType.INT, "+3", 3),
        (ConfigType.INT, "-2147483648", -(2**31)),
        (ConfigType.LONG, "9223372036854775807", 2**63 - 1),
        (ConfigType.DOUBLE, "1e3", 1000.0),
        (ConfigType.DOUBLE, "5f", 5.0),
        (ConfigType.DOUBLE, ".5", 0.5),
        (ConfigType.BOOLEAN, " TRUE ", True),
        (ConfigType.LIST, "a, b ,c", ("a", "b", "c")),
        (ConfigType.LIST, " ", ()),
        (ConfigType.LIST, "a,a", ("a",)),
        (ConfigType.STRING, " a ", "a"),
    ],
)
def test_texts_that_are_fine(type_: ConfigType, text: str, value: Value) -> None:
    assert parse.parse_value(_plain(type_), text) == value


@pytest.mark.parametrize(
    ("type_", "text", "message"),
    [
        (ConfigType.INT, "2147483648", "Invalid value 2147483648 for configuration key: Not a number of type INT"),
        (ConfigType.INT, "1_000", "Invalid value 1_000 for configuration key: Not a number of type INT"),
        (ConfigType.INT, "1.0", "Invalid value 1.0 for configuration key: Not a number of type INT"),
        (ConfigType.SHORT, "70000", "Invalid value 70000 for configuration key: Not a number of type SHORT"),
        (ConfigType.DOUBLE, "0x", "Invalid value 0x for configuration key: Not a number of type DOUBLE"),
        (
            ConfigType.BOOLEAN,
            "yes",
            "Invalid value yes for configuration key: Expected value to be either true or false",
        ),
    ],
)
def test_texts_that_are_not(type_: ConfigType, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse.parse_value(_plain(type_), text)
    assert str(caught.value) == message


def test_a_password_is_never_shown() -> None:
    assert parse.value_to_text(ConfigType.PASSWORD, "secret") == parse.HIDDEN


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (0.5, "0.5"),
        (1000.0, "1000.0"),
        (9999999.0, "9999999.0"),
        (1e7, "1.0E7"),
        (0.001, "0.001"),
        (0.0001, "1.0E-4"),
        (1.7976931348623157e308, "1.7976931348623157E308"),
        (2147483647.0, "2.147483647E9"),
        (123.456, "123.456"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
    ],
)
def test_a_double_looks_as_in_java(value: float, text: str) -> None:
    assert java_double(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_survives_being_shown(value: float) -> None:
    assert float(java_double(value)) == value


@given(st.text(max_size=40))
def test_no_text_breaks_the_parser(text: str) -> None:
    for type_ in list(ConfigType)[1:]:
        definition = _plain(type_)
        try:
            value = parse.parse_value(definition, text)
        except ConfigError:
            continue
        shown = parse.value_to_text(type_, value)
        if type_ is not ConfigType.PASSWORD and value == value:
            assert shown is not None
            assert parse.parse_value(definition, shown) == value

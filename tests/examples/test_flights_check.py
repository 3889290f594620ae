"""The flights example notices what it is there to notice."""

from examples.flights.check import Tally
from examples.flights.rows import Event, typed

SENT = [Event(b"N1", b"1"), Event(b"N1", b"2"), Event(None, b"3"), Event(b"N2", b"1")]


def difference(received: list[Event]) -> str:
    return Tally.of(SENT).difference(Tally.of(received))


def test_order_between_keys_plays_no_part() -> None:
    assert difference([SENT[3], SENT[2], SENT[0], SENT[1]]) == ""


def test_order_within_a_key_does() -> None:
    assert difference([SENT[1], SENT[0], SENT[2], SENT[3]]) == "1 keys are out of order, the first is N1"


def test_lost_doubled_and_changed_events() -> None:
    assert difference(SENT[:3]) == "4 events were sent and 3 came back"
    assert difference([*SENT, SENT[2]]) == "4 events were sent and 5 came back"
    assert difference([*SENT[:2], Event(b"N1", b"3"), SENT[3]]) == "the contents of what came back differ"


def test_columns_are_typed() -> None:
    assert typed("dep_delay", "-4") == -4
    assert typed("tailnum", "123") == "123"

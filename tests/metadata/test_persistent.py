from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ottla.metadata.persistent import PersistentMap

KEYS = st.integers(0, 2000)
CHANGES = st.lists(st.dictionaries(KEYS, st.none() | st.integers(), max_size=20), max_size=12)


@given(CHANGES)
def test_behaves_as_a_dict_that_is_copied(changes: list[dict[int, int | None]]) -> None:
    model: dict[int, int] = {}
    subject: PersistentMap[int, int] = PersistentMap()
    versions = [(subject, dict(model))]
    for change in changes:
        for key, value in change.items():
            if value is None:
                model.pop(key, None)
            else:
                model[key] = value
        subject = subject.changed(change)
        versions.append((subject, dict(model)))

    for version, expected in versions:
        assert dict(version.items()) == expected
        assert sorted(version) == sorted(expected)
        assert len(version) == len(expected)
        assert all(version[key] == value and key in version for key, value in expected.items())


def test_a_change_shares_the_rest() -> None:
    large: PersistentMap[int, int] = PersistentMap[int, int]().changed({key: key for key in range(10_000)})
    changed = large.changed({5: 6})

    copied = sum(mine is not theirs for mine, theirs in zip(large._buckets, changed._buckets, strict=True))
    assert copied == 1
    assert changed != large
    assert changed.changed({5: 5}) == large

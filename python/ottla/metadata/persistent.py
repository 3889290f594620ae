"""A map whose changed copy shares all that did not change.

Prior art: Kafka's images use the HAMT of pcollections. Ours is two levels of plain dicts: a tuple of buckets chosen by
hash. A change copies the tuple of 512 pointers and the buckets it touches; the buckets of a map with 200,000 keys hold
some four hundred each. Built for the metadata image: read often, changed in batches, iterated seldom. Invariant: no
bucket is changed after the map that holds it was made.
"""

from __future__ import annotations

from collections.abc import Hashable, ItemsView, Iterator, Mapping
from typing import Any, Final, Generic, TypeVar, final

__all__ = ["PersistentMap"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

BUCKETS: Final = 512


@final
class PersistentMap(Mapping[K, V], Generic[K, V]):
    """An immutable mapping. The order of iteration is not defined; sort where it matters."""

    __slots__ = ("_buckets", "_length")

    def __init__(self) -> None:
        empty: dict[K, V] = {}
        self._buckets: tuple[dict[K, V], ...] = (empty,) * BUCKETS
        self._length = 0

    def __getitem__(self, key: K) -> V:
        return self._buckets[hash(key) % BUCKETS][key]

    # Of ``Mapping`` by two calls and an exception: every request looks something up.
    def get(self, key: K, default: Any = None) -> Any:
        return self._buckets[hash(key) % BUCKETS].get(key, default)

    def __contains__(self, key: object) -> bool:
        return key in self._buckets[hash(key) % BUCKETS]

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[K]:
        for bucket in self._buckets:
            yield from bucket

    def items(self) -> ItemsView[K, V]:
        """Pairs, bucket by bucket: no lookup for each key."""
        return _Items(self)

    def changed(self, changes: Mapping[K, V | None]) -> PersistentMap[K, V]:
        """This map with each key of ``changes`` set to its value, or removed where that is None. Costs as much as the
        buckets touched."""
        if not changes:
            return self
        buckets = list(self._buckets)
        copied: set[int] = set()
        length = self._length
        for key, value in changes.items():
            index = hash(key) % BUCKETS
            if index not in copied:
                buckets[index] = dict(buckets[index])
                copied.add(index)
            bucket = buckets[index]
            length -= len(bucket)
            if value is None:
                bucket.pop(key, None)
            else:
                bucket[key] = value
            length += len(bucket)
        result: PersistentMap[K, V] = PersistentMap.__new__(PersistentMap)
        result._buckets = tuple(buckets)
        result._length = length
        return result

    def __eq__(self, other: object) -> bool:
        if isinstance(other, PersistentMap):
            return self._length == other._length and all(
                mine is theirs or mine == theirs for mine, theirs in zip(self._buckets, other._buckets, strict=True)
            )
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # compared by content, as dict is

    def __repr__(self) -> str:
        return f"PersistentMap({dict(self.items())!r})"


class _Items(ItemsView[K, V]):
    __slots__ = ()

    def __iter__(self) -> Iterator[tuple[K, V]]:
        for bucket in self._mapping._buckets:  # type: ignore[attr-defined]
            yield from bucket.items()

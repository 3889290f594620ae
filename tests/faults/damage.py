"""What a crash, a bad disk or a clumsy hand may do to the files of a stopped broker without touching a byte that it
acknowledged.

Each kind says in words what it did. All of it must be made good by the next start.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

CHECKPOINTS: Final = (
    "recovery-point-offset-checkpoint",
    "log-start-offset-checkpoint",
    "replication-offset-checkpoint",
)


TIME_ENTRY_BYTES: Final = 12


def _files(directory: Path, suffix: str) -> list[Path]:
    return sorted(directory.glob(f"*{suffix}"))


def _garble(path: Path, randomness: random.Random) -> str:
    """Missing, cut in the middle of an entry, or full of noise."""
    size = path.stat().st_size
    match randomness.choice(("removed", "cut", "noise", "emptied")):
        case "removed":
            path.unlink()
            return "removed"
        case "cut" if size > 1:
            cut = randomness.randrange(1, size)
            # Cut between two entries, an index is one of an earlier moment: nobody can tell, Kafka neither.
            cut -= cut % TIME_ENTRY_BYTES == 0
            with path.open("r+b") as file:
                file.truncate(cut)
            return f"cut from {size} to {cut} bytes"
        case "noise" if size > 0:
            path.write_bytes(randomness.randbytes(size))
            return "filled with noise"
        case _:
            path.write_bytes(b"")
            return "emptied"


def torn_tail(directory: Path, randomness: random.Random) -> str | None:
    """Part of a batch that was never acknowledged."""
    log = _files(directory, ".log")[-1]
    content = log.read_bytes()
    if len(content) < 62:
        return None
    torn = content[: randomness.randrange(1, min(len(content), 4096))]
    with log.open("ab") as file:
        file.write(torn)
    return f"{len(torn)} bytes of a batch behind {log.name}"


def zeroed_tail(directory: Path, randomness: random.Random) -> str | None:
    """What some file systems leave of a write that grew the file and did not bring its data."""
    log = _files(directory, ".log")[-1]
    count = randomness.choice((1, 17, 61, 4096, 100_000))
    with log.open("ab") as file:
        file.write(bytes(count))
    return f"{count} zero bytes behind {log.name}"


def noise_tail(directory: Path, randomness: random.Random) -> str | None:
    log = _files(directory, ".log")[-1]
    count = randomness.randrange(1, 10_000)
    with log.open("ab") as file:
        file.write(randomness.randbytes(count))
    return f"{count} bytes of noise behind {log.name}"


def repeated_tail(directory: Path, randomness: random.Random) -> str | None:
    """A whole sound batch, but of offsets that were there before."""
    log = _files(directory, ".log")[-1]
    content = log.read_bytes()
    if len(content) < 62:
        return None
    size = int.from_bytes(content[8:12]) + 12
    with log.open("ab") as file:
        file.write(content[:size])
    return f"the first batch of {log.name} again at its end"


def indexes(directory: Path, randomness: random.Random) -> str | None:
    found = _files(directory, randomness.choice((".index", ".timeindex")))
    if not found:
        return None
    path = randomness.choice(found)
    return f"{path.name} {_garble(path, randomness)}"


def snapshots(directory: Path, randomness: random.Random) -> str | None:
    found = _files(directory, ".snapshot")
    if not found:
        return None
    if randomness.random() < 0.3:
        for path in found:
            path.unlink()
        return f"all {len(found)} producer snapshots removed"
    path = found[-1] if randomness.random() < 0.7 else randomness.choice(found)
    return f"{path.name} {_garble(path, randomness)}"


def leader_epochs(directory: Path, randomness: random.Random) -> str | None:
    path = directory / "leader-epoch-checkpoint"
    return f"{path.name} {_garble(path, randomness)}" if path.exists() else None


def partition_metadata(directory: Path, randomness: random.Random) -> str | None:
    path = directory / "partition.metadata"
    path.unlink(missing_ok=True)
    return f"{path.name} removed"


def checkpoints(directory: Path, randomness: random.Random) -> str | None:
    """Of the whole log directory."""
    path = directory.parent / randomness.choice(CHECKPOINTS)
    return f"{path.name} {_garble(path, randomness)}" if path.exists() else None


KINDS: Final[Sequence[Callable[[Path, random.Random], str | None]]] = (
    torn_tail,
    zeroed_tail,
    noise_tail,
    repeated_tail,
    indexes,
    indexes,
    snapshots,
    leader_epochs,
    partition_metadata,
    checkpoints,
)


def damage(directories: Sequence[Path], randomness: random.Random, count: int) -> list[str]:
    """So many kinds of damage, each to some partition; in words."""
    done = []
    for _ in range(count):
        directory = randomness.choice(directories)
        said = randomness.choice(KINDS)(directory, randomness)
        if said is not None:
            done.append(f"{directory.name}: {said}")
    return done

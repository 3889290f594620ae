"""The outside programs the benchmarks and compatibility tests use, found or built, and kept in `.cache/`.

Java from the newest JDK of the machine, jars from Maven Central by `mvn dependency:copy-dependencies`, Go programs by
`go build`. Nothing is fetched twice: a folder of jars is complete when it holds the pom it was made from. Processes
that want the same at once wait for the first of them.
"""

import contextlib
import fcntl
import functools
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from benchmarks.failure import Failed, Skipped
from benchmarks.processes import run

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
FETCH_TIMEOUT_S = 600.0


@contextlib.contextmanager
def alone(what: str) -> Iterator[None]:
    """No other process is in here for the same thing."""
    place = CACHE / "locks" / what
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@functools.cache
def java() -> Path:
    """The `java` of the newest JDK beside the one on the path. Raises Skipped where there is none."""
    found = shutil.which("java")
    if found is None:
        raise Skipped("no java on this machine")
    default = Path(found).resolve()
    homes = [home for home in default.parents[2].iterdir() if (home / "bin" / "java").exists()]
    return max([default, *(home / "bin" / "java" for home in homes)], key=java_version)


def java_version(executable: Path) -> int:
    """The feature release, such as 25; 0 when it does not say."""
    try:
        release = (executable.resolve().parents[1] / "release").read_text()
    except OSError:
        return 0
    version = re.search(r'^JAVA_VERSION="(\d+)', release, re.MULTILINE)
    return int(version.group(1)) if version else 0


@functools.cache
def jars(pom: Path, name: str, *, fetch: bool = True) -> Path:
    """The folder with what `pom` depends on. Raises Skipped without Maven, or when it would fetch and may not."""
    with alone("maven"):
        return _jars(pom, name, fetch=fetch)


def _jars(pom: Path, name: str, *, fetch: bool) -> Path:
    folder = CACHE / name
    made_from = folder / "made-from-pom.xml"
    if made_from.exists() and made_from.read_bytes() == pom.read_bytes():
        return folder
    if not fetch:
        raise Skipped(f"{name} is not in {CACHE.name}/")
    maven = shutil.which("mvn")
    if maven is None:
        raise Skipped("no mvn on this machine")
    shutil.rmtree(folder, ignore_errors=True)
    copy = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}"]
    run([maven, "-q", "-B", "-f", str(pom), *copy], timeout_s=FETCH_TIMEOUT_S)
    made_from.write_bytes(pom.read_bytes())
    return folder


@functools.cache
def go_program(source: Path, name: str) -> Path:
    """The program built from a folder of Go source. Raises Skipped where there is no Go."""
    go = shutil.which("go")
    if go is None:
        raise Skipped("no go on this machine")
    target = CACHE / "bin" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    with alone(name):
        run([go, "build", "-o", str(target), "."], cwd=source, timeout_s=FETCH_TIMEOUT_S)
    if not target.exists():
        raise Failed(f"go build of {source} left nothing at {target}")
    return target

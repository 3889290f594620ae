"""Java programs of these tests, compiled where they are older than their source, and run."""

import subprocess
from pathlib import Path

from benchmarks.processes import run
from benchmarks.toolchain import CACHE, alone, java

SHARED = Path(__file__).parent
COMPILE_TIMEOUT_S = 120.0


def start(source: Path, jars: Path) -> subprocess.Popen[str]:
    """The program of this file, and of those beside this one that it uses; its input and output piped. Raises Failed
    where it cannot be compiled."""
    classes = CACHE / "java-classes" / source.stem
    made_from = classes / source.name
    sources = source.read_bytes() + b"".join(each.read_bytes() for each in sorted(SHARED.glob("*.java")))
    with alone(source.stem):
        if not made_from.exists() or made_from.read_bytes() != sources:
            classes.mkdir(parents=True, exist_ok=True)
            paths = ["-cp", f"{jars}/*", "-sourcepath", str(SHARED), "-d", str(classes)]
            run([str(java().with_name("javac")), *paths, str(source)], timeout_s=COMPILE_TIMEOUT_S)
            made_from.write_bytes(sources)
    flags = ["-Xmx512M", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=off"]
    argv = [str(java()), *flags, "-cp", f"{jars}/*:{classes}", source.stem]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

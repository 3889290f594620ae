"""Java programs of these tests, compiled where they are older than their source, and run."""

import subprocess
from pathlib import Path

from benchmarks.processes import run
from benchmarks.toolchain import CACHE, alone, java

COMPILE_TIMEOUT_S = 120.0


def start(source: Path, jars: Path) -> subprocess.Popen[str]:
    """The program of this file, its input and output piped. Raises Failed where it cannot be compiled."""
    classes = CACHE / "java-classes" / source.stem
    made_from = classes / source.name
    with alone(source.stem):
        if not made_from.exists() or made_from.read_bytes() != source.read_bytes():
            classes.mkdir(parents=True, exist_ok=True)
            compiler = [str(java().with_name("javac")), "-cp", f"{jars}/*", "-d", str(classes), str(source)]
            run(compiler, timeout_s=COMPILE_TIMEOUT_S)
            made_from.write_bytes(source.read_bytes())
    flags = ["-Xmx512M", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=off"]
    argv = [str(java()), *flags, "-cp", f"{jars}/*:{classes}", source.stem]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

"""The jars of Apache Kafka that tests read schemas and classes from: fetched once with Maven, into the cache."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any, Final

import pytest

KAFKA_VERSION: Final = "4.4.0"
ROOT: Final = Path(__file__).resolve().parents[2]
JARS: Final = ROOT / ".cache" / "kafka-jars" / KAFKA_VERSION

SCHEMA_ARTIFACTS: Final = (
    "kafka-clients",
    "kafka-group-coordinator",
    "kafka-metadata",
    "kafka-raft",
    "kafka-share-coordinator",
    "kafka-storage",
    "kafka-transaction-coordinator",
)
"""Those that hold schemas; the other artifacts of the broker have none."""


def kafka_jars(artifacts: tuple[str, ...] = SCHEMA_ARTIFACTS) -> list[Path]:
    """The jars, fetched when they are not there; skips the test when that cannot be done."""
    return [jar(f"org.apache.kafka:{artifact}:{KAFKA_VERSION}") for artifact in artifacts]


def jar(coordinates: str) -> Path:
    """One jar by its Maven coordinates, ``group:artifact:version``."""
    _, artifact, version = coordinates.split(":")
    path = JARS / f"{artifact}-{version}.jar"
    if not path.exists():
        _fetch(coordinates, path)
    return path


def schemas() -> dict[str, dict[str, Any]]:
    """Every message schema of Kafka by its name."""
    found: dict[str, dict[str, Any]] = {}
    for path in kafka_jars():
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if re.fullmatch(r"(common/)?(message|metadata)/\w+\.json", name):
                    schema = _parse(archive.read(name).decode())
                    assert schema["name"] not in found, f"{schema['name']} is there twice"
                    found[schema["name"]] = schema
    return found


def _parse(text: str) -> dict[str, Any]:
    """Kafka's schemas are JSON with comments to the end of the line, and now and then a comma too many."""
    text = re.sub(r"(?m)^\s*//.*$", "", text)
    text = re.sub(r'(?m)\s//[^"\n]*$', "", text)
    parsed: dict[str, Any] = json.loads(re.sub(r",(\s*[}\]])", r"\1", text))
    return parsed


def _fetch(coordinates: str, path: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        pytest.skip(f"{path.name} is not in {path.parent}, and there is no Maven (mvn) to fetch it")
    scratch = path.parent / f".fetching-{os.getpid()}"
    command = [maven, "-q", "-B", "dependency:copy", f"-Dartifact={coordinates}", f"-DoutputDirectory={scratch}"]
    path.parent.mkdir(parents=True, exist_ok=True)
    fetched = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=path.parent, check=False)
    if fetched.returncode != 0:
        pytest.skip(f"Maven could not fetch {coordinates}: {fetched.stdout[-500:]}")
    (scratch / path.name).replace(path)
    shutil.rmtree(scratch, ignore_errors=True)

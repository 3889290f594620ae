"""Makes messages.txt: the bytes that Kafka's own classes write for the sample of every message.

usage: python -m tests.golden.messages.make

Needs Maven for the jars and a JDK, 17 or newer. The lowest and the highest version of each message.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from ottla.wire.schema import schema_of
from tests.support.kafka_jars import jar, kafka_jars
from tests.support.messages import all_messages, golden_sample, to_json

HERE = Path(__file__).parent
LIBRARIES = (
    "com.fasterxml.jackson.core:jackson-annotations:2.21",
    "com.fasterxml.jackson.core:jackson-core:2.21.7",
    "com.fasterxml.jackson.core:jackson-databind:2.21.7",
    "org.slf4j:slf4j-api:1.7.36",
)


def main() -> None:
    lines = []
    for cls in all_messages():
        schema = schema_of(cls)
        for version in sorted({schema.valid.start, schema.valid.stop - 1}):
            fields = json.dumps(to_json(golden_sample(cls, version), version))
            lines.append(f"{schema.name}\t{version}\t{fields}")
    jars = [*kafka_jars(), *map(jar, LIBRARIES)]
    command = ["java", "-cp", os.pathsep.join(map(str, jars)), str(HERE / "GoldenMessages.java")]
    made = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, check=True)
    (HERE / "messages.txt").write_text(made.stdout)
    print(f"{len(made.stdout.splitlines())} messages")


if __name__ == "__main__":
    main()

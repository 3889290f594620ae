"""Members in other processes, which are asked for

    join TOPIC,TOPIC… KEY=VALUE…    poll MS    assigned    commit    committed PARTITION    close

A record is `TOPIC PARTITION OFFSET BASE64`.
"""

import base64
from collections.abc import Mapping
from typing import final

from compat_support.groups import Delivered, MemberOptions
from compat_support.lines import Lines


@final
class RemoteMember:
    def __init__(self, lines: Lines, options: MemberOptions, settings: Mapping[str, str | int]) -> None:
        self._lines = lines
        self._lines.ask("join", ",".join(options.topics), *(f"{key}={value}" for key, value in settings.items()))

    def poll(self, timeout_s: float) -> list[Delivered]:
        return [_delivered(words) for words in self._lines.ask("poll", str(int(timeout_s * 1000)))]

    def assigned(self) -> set[int]:
        return {int(partition) for partition in self._lines.ask("assigned")}

    def commit(self) -> None:
        self._lines.ask("commit")

    def committed(self, partition: int) -> int | None:
        (offset,) = self._lines.ask("committed", str(partition))
        return int(offset) if int(offset) >= 0 else None

    def close(self) -> None:
        self._lines.close()


def _delivered(words: str) -> Delivered:
    topic, partition, offset, value = words.split(" ")
    return Delivered(topic, int(partition), int(offset), base64.b64decode(value))

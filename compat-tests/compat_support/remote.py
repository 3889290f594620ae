"""Members in other processes, which are asked line by line: an operation and its arguments, with tabs between.

    join TOPIC,TOPIC… KEY=VALUE…    poll MS    assigned    commit    committed PARTITION    close

The answer is a line, too: `ok` and what was found, or `error` and why. A record is `TOPIC PARTITION OFFSET BASE64`.
"""

import base64
from collections.abc import Callable, Mapping
from typing import IO, final

from compat_support.groups import Delivered, MemberOptions


@final
class RemoteMember:
    """``ended`` is called when the member has been closed."""

    def __init__(
        self,
        requests: IO[str],
        answers: IO[str],
        options: MemberOptions,
        settings: Mapping[str, str | int],
        ended: Callable[[], object],
    ) -> None:
        self._requests = requests
        self._answers = answers
        self._ended = ended
        self._ask("join", ",".join(options.topics), *(f"{key}={value}" for key, value in settings.items()))

    def _ask(self, *words: str) -> list[str]:
        self._requests.write("\t".join(words) + "\n")
        self._requests.flush()
        outcome, *found = self._answers.readline().rstrip("\n").split("\t")
        assert outcome == "ok", f"{words[0]}: {found}"
        return found

    def poll(self, timeout_s: float) -> list[Delivered]:
        return [_delivered(words) for words in self._ask("poll", str(int(timeout_s * 1000)))]

    def assigned(self) -> set[int]:
        return {int(partition) for partition in self._ask("assigned")}

    def commit(self) -> None:
        self._ask("commit")

    def committed(self, partition: int) -> int | None:
        (offset,) = self._ask("committed", str(partition))
        return int(offset) if int(offset) >= 0 else None

    def close(self) -> None:
        try:
            self._ask("close")
        finally:
            self._ended()


def _delivered(words: str) -> Delivered:
    topic, partition, offset, value = words.split(" ")
    return Delivered(topic, int(partition), int(offset), base64.b64decode(value))

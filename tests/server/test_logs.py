from __future__ import annotations

import io
import json
import subprocess
import sys

from ottla.server.logs import at_first_line, logger


def test_a_line_for_people_says_what_it_is_about() -> None:
    stream = io.StringIO()
    log = logger("text", stream, node=7)
    log.debug("unheard")
    log.warning("log set aside", directory="orders-0")
    (line,) = stream.getvalue().splitlines()
    assert "[warning  ] log set aside" in line
    assert "directory=orders-0 node=7" in line


def test_a_line_for_programs_is_json_with_the_traceback() -> None:
    stream = io.StringIO()
    log = logger("json", stream, node=7)
    try:
        raise ValueError("orders")
    except ValueError:
        log.exception("request failed", api="CreateTopics")
    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"], line["node"], line["api"]) == ("request failed", "error", 7, "CreateTopics")
    assert line["exception"].endswith("ValueError: orders")


def test_the_logger_is_made_once_and_late() -> None:
    stream, made = io.StringIO(), []

    def make() -> object:
        made.append("made")
        return logger("text", stream)

    log = at_first_line(make)  # type: ignore[arg-type]
    assert not made
    log.info("one")
    log.warning("two")
    assert made == ["made"]
    assert len(stream.getvalue().splitlines()) == 2


def test_a_start_imports_neither_structlog_nor_what_only_tools_need() -> None:
    heavy = ("structlog", "asyncio", "construct", "cryptography", "rich", "multiprocessing")
    script = (
        "import sys, ottla.cli.serve, ottla.server.main, ottla.config.load\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"

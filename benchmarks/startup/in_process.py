"""Times `Broker()` in this interpreter, until it takes a connection; prints the figures as JSON.

What a broker is made of is imported before, and timed apart: the first broker of an interpreter imports it by itself,
which all later ones find done.
"""

import importlib
import json
import resource
import socket
import time

from ottla.testing import Broker

IMPORTED_BY_THE_FIRST = ("trio", "ottla.config.load", "ottla.server.main", "ottla.testing.logs")


def main() -> None:
    start = time.perf_counter()
    for name in IMPORTED_BY_THE_FIRST:
        importlib.import_module(name)
    import_ms = (time.perf_counter() - start) * 1000
    start = time.perf_counter()
    with Broker() as broker:
        host, _, port = broker.bootstrap_servers.partition(",")[0].rpartition(":")
        socket.create_connection((host, int(port)), timeout=10).close()
        elapsed_ms = (time.perf_counter() - start) * 1000
    rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"start_ms": elapsed_ms, "import_ms": import_ms, "rss_mb": rss_mb}))


if __name__ == "__main__":
    main()

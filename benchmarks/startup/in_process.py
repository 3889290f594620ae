"""Times `Broker()` in this interpreter, until it takes a connection; prints the figures as JSON."""

import json
import resource
import socket
import time

from ottla.testing import Broker


def main() -> None:
    start = time.perf_counter()
    with Broker() as broker:
        host, _, port = broker.bootstrap_servers.partition(",")[0].rpartition(":")
        socket.create_connection((host, int(port)), timeout=10).close()
        elapsed_ms = (time.perf_counter() - start) * 1000
    rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"start_ms": elapsed_ms, "rss_mb": rss_mb}))


if __name__ == "__main__":
    main()

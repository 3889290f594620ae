"""Kafka for tests: a broker inside the process, and fixtures of pytest.

``with ottla.testing.Broker() as broker: broker.bootstrap_servers``. Importing this costs next to nothing: the broker
itself is
imported by the first one that starts.
"""

from ottla.testing.broker import Broker
from ottla.testing.thread import BrokerError

__all__ = ["Broker", "BrokerError"]

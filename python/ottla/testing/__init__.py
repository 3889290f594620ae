"""Kafka for tests: a broker inside the process, and fixtures of pytest.

``with ottla.testing.Broker() as broker: broker.bootstrap_servers``. Importing this costs nothing, since every pytest of
an installation does it: what is named here is imported when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ottla.testing.broker import Broker
    from ottla.testing.thread import BrokerError

__all__ = ["Broker", "BrokerError"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    from ottla.testing.broker import Broker
    from ottla.testing.thread import BrokerError

    globals().update(Broker=Broker, BrokerError=BrokerError)
    return globals()[name]

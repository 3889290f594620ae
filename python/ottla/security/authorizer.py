"""May this principal do that? The question, its vocabulary, and the authoriser that says yes.

Prior art: Kafka's ``Authorizer`` (KIP-504). The numbers are those of the wire (``AclOperation``, ``ResourceType``), and
the bit of an operation in the authorised-operations fields is its number.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final, Protocol, final

__all__ = ["ANONYMOUS", "CLUSTER", "AllowAll", "Authorizer", "Operation", "Principal", "Resource", "ResourceType"]


class Operation(enum.IntEnum):
    """``AclOperation``: the value is the number on the wire."""

    ALL = 2
    READ = 3
    WRITE = 4
    CREATE = 5
    DELETE = 6
    ALTER = 7
    DESCRIBE = 8
    CLUSTER_ACTION = 9
    DESCRIBE_CONFIGS = 10
    ALTER_CONFIGS = 11
    IDEMPOTENT_WRITE = 12
    CREATE_TOKENS = 13
    DESCRIBE_TOKENS = 14
    TWO_PHASE_COMMIT = 15


class ResourceType(enum.IntEnum):
    """``ResourceType``: the value is the number on the wire."""

    TOPIC = 2
    GROUP = 3
    CLUSTER = 4
    TRANSACTIONAL_ID = 5
    DELEGATION_TOKEN = 6
    USER = 7


@final
@dataclass(slots=True, frozen=True)
class Principal:
    """Who is asking: ``User:alice``."""

    type: str
    name: str

    def __str__(self) -> str:
        return f"{self.type}:{self.name}"


@final
@dataclass(slots=True, frozen=True)
class Resource:
    """What it is about, by literal name."""

    type: ResourceType
    name: str


ANONYMOUS: Final = Principal("User", "ANONYMOUS")
CLUSTER: Final = Resource(ResourceType.CLUSTER, "kafka-cluster")

TOPIC_OPERATIONS: Final = (
    Operation.READ,
    Operation.WRITE,
    Operation.CREATE,
    Operation.DESCRIBE,
    Operation.DELETE,
    Operation.ALTER,
    Operation.DESCRIBE_CONFIGS,
    Operation.ALTER_CONFIGS,
)
"""Operations that exist for topics (``AclEntry.supportedOperations``)."""

CLUSTER_OPERATIONS: Final = (
    Operation.CREATE,
    Operation.CLUSTER_ACTION,
    Operation.DESCRIBE_CONFIGS,
    Operation.ALTER_CONFIGS,
    Operation.IDEMPOTENT_WRITE,
    Operation.ALTER,
    Operation.DESCRIBE,
)


class Authorizer(Protocol):
    """Pure: answers from compiled rules, never waits."""

    def allows(self, principal: Principal, host: str, operation: Operation, resource: Resource) -> bool:
        """May ``principal``, connected from address ``host``, do ``operation`` on ``resource``?"""


@final
class AllowAll:
    """No authoriser is configured: everybody may do everything."""

    __slots__ = ()

    def allows(self, principal: Principal, host: str, operation: Operation, resource: Resource) -> bool:
        return True

"""The client behind a request, as coordinators remember it, and as Kafka prints it."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from ottla.groups.client import Client

if TYPE_CHECKING:
    from ottla.api.context import RequestContext

__all__ = ["client_of", "java_address"]


def client_of(context: RequestContext) -> Client:
    """Who sent the request."""
    return Client(context.client_id or "", java_address(context.host))


def java_address(host: str) -> str:
    """``InetAddress.toString`` of an address without a name: a slash, and IPv6 without a double colon."""
    if host.isascii() and host.replace(".", "").isdigit():
        # IPv4, as the data plane writes it: every request of a member asks for this.
        return f"/{host}"
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return f"/{host}"
    if address.version == 6:
        if address.ipv4_mapped is not None:
            return f"/{address.ipv4_mapped}"
        return "/" + ":".join(f"{int(part, 16):x}" for part in address.exploded.split(":"))
    return f"/{address}"

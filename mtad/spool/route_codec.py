"""Between the route that policy has chosen for a recipient and what the queue keeps of it (proto/mtad/queue/v1)."""

from __future__ import annotations

from mtad.mail.route import Route, TlsLevel, Transport
from mtad.pb import queue_pb2

_TRANSPORTS = {transport.value: transport for transport in Transport}
_LEVELS = {level.value: level for level in TlsLevel}


def route_message(route: Route) -> queue_pb2.Route:
    """Return the stored form of a route."""
    return queue_pb2.Route(
        transport=route.transport.value,
        hosts=route.hosts,
        port=route.port or 0,
        tls=route.tls.value,
        sources=route.sources,
        helo=route.helo,
        pool=route.pool,
        credentials=route.credentials,
    )


def read_route(stored: queue_pb2.RecipientState) -> Route | None:
    """Return the route that is stored; None where there is none, or one that a newer program has chosen."""
    route = stored.route
    transport, tls = _TRANSPORTS.get(route.transport), _LEVELS.get(route.tls)
    if not stored.HasField("route") or transport is None or tls is None:
        return None
    return Route(
        transport,
        tuple(route.hosts),
        route.port or None,
        tls,
        tuple(route.sources),
        route.helo,
        route.pool,
        route.credentials,
    )

"""The server that all who may connect to a node share: who connects is told apart by the names in its certificate."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc
import grpc.aio

from replicator.pb import replicator_pb2 as pb
from replicator.report import Report
from replicator.transport import certificates
from replicator.transport.certificates import Credentials
from replicator.transport.link import SERVICE, Link, refusal, server_options, split_address
from replicator.transport.renewing import server_credentials


class Listener:
    """Listens on one address for the nodes at the other ends of these links.

    links   by the name that the other's certificate must carry
    """

    def __init__(self, address: str, credentials: Credentials, links: Mapping[str, Link], report: Report) -> None:
        self._address = address
        self._credentials = credentials
        self._links = links
        self._report = report
        self._server: grpc.aio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        """Listen. Errors: OSError when the address is taken or a file of the credentials cannot be read."""
        credentials = server_credentials(self._credentials, self._unreadable)
        server = grpc.aio.server(options=server_options())
        handler = grpc.stream_stream_rpc_method_handler(
            self._serve, request_deserializer=pb.Packet.FromString, response_serializer=pb.Packet.SerializeToString
        )
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Link": handler}),))
        try:
            self.port = server.add_secure_port(self._address, credentials)
        except RuntimeError as error:
            raise unheard(self._address) from error
        await server.start()
        self._server = server

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            await self._server.stop(0.1)

    def _unreadable(self, what: str) -> None:
        self._report.emit("replica.credentials", level="error", what=what)

    async def _serve(self, _requests: AsyncIterator[pb.Packet], context: Any) -> None:
        """Give a stream that another opened to the link of its name; a stranger is told which names are expected."""
        names = certificates.names_of_context(context.auth_context())
        link = next((self._links[name] for name in names if name in self._links), None)
        if link is not None:
            await link.serve(context)
            return
        expected = ",".join(self._links)
        if len(self._links) == 1:
            for only in self._links.values():
                only.refused(expected, ",".join(names))
        else:
            self._report.emit("replica.link_refused", level="error", expected=expected, came=",".join(names), why="")
        await context.write(refusal(expected, names))


def unheard(address: str) -> OSError:
    """Return why gRPC could not listen on an address: it does not tell, and a plain socket does."""
    host, port = split_address(address)
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        return OSError(f"cannot listen on {address}: {why}")
    return OSError(f"cannot listen on {address}")

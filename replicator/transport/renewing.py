"""A server's certificate that may be renewed while it runs: the files are read again at every handshake."""

from __future__ import annotations

from collections.abc import Callable

import grpc

from replicator.transport.certificates import Credentials


def server_credentials(credentials: Credentials, unreadable: Callable[[str], None]) -> grpc.ServerCredentials:
    """Return what a server shows, and asks of its clients, whatever the files hold at each handshake.

    unreadable   told why the files cannot be read, in a thread of gRPC: what they held last is used then
    Errors: OSError when they cannot be read now.
    """
    renewed = _Renewed(credentials, unreadable)
    return grpc.dynamic_ssl_server_credentials(renewed.read(), renewed.now, require_client_authentication=True)


class _Renewed:
    """What the files held last."""

    def __init__(self, credentials: Credentials, unreadable: Callable[[str], None]) -> None:
        self._credentials = credentials
        self._unreadable = unreadable

    def read(self) -> grpc.ServerCertificateConfiguration:
        ca, certificate, key = self._credentials.read()
        self._last = grpc.ssl_server_certificate_configuration([(key, certificate)], ca)
        return self._last

    def now(self) -> grpc.ServerCertificateConfiguration:
        try:
            return self.read()
        except OSError as error:
            self._unreadable(str(error))
            return self._last

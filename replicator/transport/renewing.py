"""A server's certificate that may be renewed while it runs: the files are read again at every handshake."""

from __future__ import annotations

import grpc

from replicator.report import Report
from replicator.transport.certificates import Credentials


def server_credentials(credentials: Credentials, report: Report, event: str) -> grpc.ServerCredentials:
    """Return what a server shows, and asks of its clients, whatever the files hold at each handshake.

    event   reported when the files cannot be read: what they held last goes on to be used then
    Errors: OSError when they cannot be read now.
    """
    renewed = _Renewed(credentials, report, event)
    return grpc.dynamic_ssl_server_credentials(renewed.read(), renewed.now, require_client_authentication=True)


class _Renewed:
    """What the files held last. `now` is called in a thread of gRPC."""

    def __init__(self, credentials: Credentials, report: Report, event: str) -> None:
        self._credentials = credentials
        self._report = report
        self._event = event

    def read(self) -> grpc.ServerCertificateConfiguration:
        ca, certificate, key = self._credentials.read()
        self._last = grpc.ssl_server_certificate_configuration([(key, certificate)], ca)
        return self._last

    def now(self) -> grpc.ServerCertificateConfiguration:
        try:
            return self.read()
        except OSError as error:
            self._report.emit(self._event, level="error", what=str(error))
            return self._last

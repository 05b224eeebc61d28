"""The names in certificates: what a member must show, and a look at what a peer shows when it is not that."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

_LOOK_SECONDS = 2.0
_SAN = "x509_subject_alternative_name"
_OF_ANOTHER_CA = frozenset({7, 18, 19, 20, 21})  # what X509_verify_cert(3) says where no key of ours has signed


@dataclass(frozen=True, slots=True)
class Credentials:
    """A member's own certificate and key, and the CA that both members' certificates come from; PEM files."""

    ca_path: Path
    cert_path: Path
    key_path: Path

    def read(self) -> tuple[bytes, bytes, bytes]:
        """Return CA, certificate and key. Errors: OSError."""
        return self.ca_path.read_bytes(), self.cert_path.read_bytes(), self.key_path.read_bytes()


class Seen(NamedTuple):
    """What a look at the peer's TLS found."""

    names: tuple[str, ...]  # DNS names of its certificate
    problem: str  # "" when the handshake went well and the certificate is the CA's


def names_of(der: bytes) -> tuple[str, ...]:
    """Return the DNS names of a certificate; none when it cannot be read."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        found = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    except (ValueError, x509.ExtensionNotFound):
        return ()
    if not isinstance(found, x509.SubjectAlternativeName):
        return ()
    return tuple(found.get_values_for_type(x509.DNSName))


def names_of_context(auth_context: object) -> tuple[str, ...]:
    """Return the names that gRPC found in a client's certificate, which it has checked against the CA."""
    if not isinstance(auth_context, dict):
        return ()
    return tuple(name.decode("ascii", "replace") for name in auth_context.get(_SAN, ()))


async def look(host: str, port: int, credentials: Credentials) -> Seen:
    """Connect with plain TLS, to learn why gRPC could not: which names came, and what is wrong with them.

    The first connection takes any certificate, and nothing is said on it; the second checks it against the CA.
    """
    names: tuple[str, ...] = ()
    problem = ""
    for is_checked in (False, True):
        try:
            context = _context(credentials, is_checked)
            der = await asyncio.wait_for(_certificate(host, port, context), _LOOK_SECONDS)
        except ssl.SSLCertVerificationError as error:
            problem = _objection(error, credentials)
        except (TimeoutError, OSError) as error:
            return Seen(names, f"no TLS connection: {error or type(error).__name__}")
        else:
            names = names_of(der)
    return Seen(names, problem)


def _objection(error: ssl.SSLCertVerificationError, credentials: Credentials) -> str:
    ours = f"not signed by the CA of {credentials.ca_path.name}"
    return f"certificate: {ours if error.verify_code in _OF_ANOTHER_CA else error.verify_message}"


def _context(credentials: Credentials, is_checked: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED if is_checked else ssl.CERT_NONE
    context.load_verify_locations(cafile=str(credentials.ca_path))
    context.load_cert_chain(str(credentials.cert_path), str(credentials.key_path))
    context.set_alpn_protocols(["h2"])
    return context


async def _certificate(host: str, port: int, context: ssl.SSLContext) -> bytes:
    _, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        connection: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return connection.getpeercert(binary_form=True) or b""
    finally:
        writer.transport.abort()

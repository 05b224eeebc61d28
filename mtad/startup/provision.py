"""Makes what a node needs before its first start: a DKIM key, the pair's private CA and its certificates.

Private files are 0600 in folders of 0700, and nothing that exists is ever overwritten: every function here raises
FileExistsError before it has written anything. RFC 6376 §3.3.3 (RSA keys), §3.6.1 (the TXT record).
"""

from __future__ import annotations

import errno
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mtad.auth.dkim import BadKey, KeyFile, load_key, record_text

DKIM_KEY_BITS = 2048
CA_DAYS = 3650
CERTIFICATE_DAYS = 3650
_CLOCK_SKEW = timedelta(hours=1)  # a member whose clock is behind still finds the certificate valid


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Where a certificate and its private key lie, both PEM."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Ca:
    """A private CA: it signs the certificates of one pair and nothing else."""

    certificate: Path
    key: Path


def make_dkim_key(path: Path) -> None:
    """Write a new RSA-2048 private key for DKIM as PEM (PKCS #8)."""
    _refuse_existing(path)
    key = rsa.generate_private_key(public_exponent=65537, key_size=DKIM_KEY_BITS)
    write_private(path, _pem(key))


def dkim_record(path: Path) -> str:
    """Return the text of the TXT record that publishes the public half of a DKIM key.

    Errors: ValueError when the file holds no key that can be used.
    """
    key = load_key(KeyFile("", "", path))
    if isinstance(key, BadKey):
        raise ValueError(str(key))
    return record_text(key)


def make_ca(folder: Path, *, now: datetime | None = None) -> Ca:
    """Write `ca.pem` and `ca.key`: a CA whose certificate may sign members and no further CA."""
    ca = Ca(folder / "ca.pem", folder / "ca.key")
    _refuse_existing(ca.certificate, ca.key)
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("mtad replication CA")
    certificate = (
        _certificate(name, name, key.public_key(), CA_DAYS, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(is_ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_private(ca.key, _pem(key))
    write_private(ca.certificate, certificate.public_bytes(serialization.Encoding.PEM))
    return ca


def make_member_certificate(ca: Ca, name: str, folder: Path, *, now: datetime | None = None) -> KeyPair:
    """Write `NAME.pem` and `NAME.key`, signed by the CA, for both ends of a replication link.

    Valid for the member's name, `localhost` and the loopback addresses.
    """
    pair = KeyPair(folder / f"{name}.pem", folder / f"{name}.key")
    _refuse_existing(pair.certificate, pair.key)
    issuer = x509.load_pem_x509_certificate(ca.certificate.read_bytes())
    issuer_key = serialization.load_pem_private_key(ca.key.read_bytes(), password=None)
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{ca.key} is not a key that make_ca wrote")
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _leaf(_certificate(_name(name), issuer.subject, key.public_key(), CERTIFICATE_DAYS, now), [name, "localhost"])
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
        .sign(issuer_key, hashes.SHA256())
    )
    write_private(pair.key, _pem(key))
    write_private(pair.certificate, certificate.public_bytes(serialization.Encoding.PEM))
    return pair


def make_server_certificate(hostname: str, folder: Path, *, now: datetime | None = None) -> KeyPair:
    """Write `HOSTNAME.pem` and `HOSTNAME.key`, self-signed, for STARTTLS.

    Enough against passive listeners (RFC 7435) until a public CA's certificate takes its place.
    """
    pair = KeyPair(folder / f"{hostname}.pem", folder / f"{hostname}.key")
    _refuse_existing(pair.certificate, pair.key)
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(hostname)
    certificate = _leaf(
        _certificate(name, name, key.public_key(), CERTIFICATE_DAYS, now), [hostname, "localhost"]
    ).sign(key, hashes.SHA256())
    write_private(pair.key, _pem(key))
    write_private(pair.certificate, certificate.public_bytes(serialization.Encoding.PEM))
    return pair


def make_private_folder(path: Path) -> None:
    """Make a folder of 0700, and its parents alike; what exists is left as it is."""
    for missing in reversed([each for each in (path, *path.parents) if not each.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))


def write_private(path: Path, octets: bytes) -> None:
    """Write a new file of 0600. Errors: FileExistsError."""
    make_private_folder(path.parent)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(octets)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    days: int,
    now: datetime | None,
) -> x509.CertificateBuilder:
    start = now if now is not None else datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - _CLOCK_SKEW)
        .not_valid_after(start + timedelta(days=days))
    )


def _leaf(builder: x509.CertificateBuilder, names: Sequence[str]) -> x509.CertificateBuilder:
    loopback = [x509.IPAddress(ipaddress.ip_address(address)) for address in ("127.0.0.1", "::1")]
    return (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(is_ca=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(
            x509.SubjectAlternativeName([*(x509.DNSName(name) for name in names), *loopback]), critical=False
        )
    )


def _key_usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _refuse_existing(*paths: Path) -> None:
    for path in paths:
        if path.exists():
            raise FileExistsError(f"{path} exists and is not overwritten")

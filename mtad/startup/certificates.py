"""Reads certificates and their keys from PEM files, and says whom they are for and until when."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization


@dataclass(frozen=True, slots=True)
class BadCertificate:
    """A file that does not hold what it should; `why` completes "file: ..."."""

    file: Path
    why: str

    def __str__(self) -> str:
        return f"{self.file}: {self.why}"


@dataclass(frozen=True, slots=True)
class Certificate:
    """The first certificate of a file."""

    file: Path
    names: tuple[str, ...]  # of its subjectAltName, DNS names only
    not_before: datetime
    not_after: datetime
    x509: x509.Certificate = field(repr=False)

    def is_for(self, name: str) -> bool:
        """Tell whether the certificate is for a host (RFC 6125 §6.4; a wildcard stands for one whole label)."""
        wanted = name.lower()
        wildcard = f"*.{wanted.partition('.')[2]}"
        return any(held.lower() in (wanted, wildcard) for held in self.names)

    def is_signed_by(self, authority: Certificate) -> bool:
        """Tell whether an authority's key signed this certificate."""
        try:
            self.x509.verify_directly_issued_by(authority.x509)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True


def load_authority(path: Path) -> Certificate | BadCertificate:
    """Read a file of CA certificates."""
    loaded = _load(path)
    if isinstance(loaded, BadCertificate):
        return loaded
    try:
        constraints = loaded.x509.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return BadCertificate(path, "is no CA's certificate")
    return loaded if constraints.ca else BadCertificate(path, "is no CA's certificate")


def load_pair(certificate: Path, key: Path) -> Certificate | BadCertificate:
    """Read a certificate chain and the private key that belongs to it."""
    loaded = _load(certificate)
    if isinstance(loaded, BadCertificate):
        return loaded
    try:
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    except OSError as error:
        return BadCertificate(key, error.strerror or "cannot be read")
    except TypeError:
        return BadCertificate(key, "is encrypted with a passphrase")
    except (ValueError, UnsupportedAlgorithm):
        return BadCertificate(key, "is not a private key in PEM form")
    if private.public_key() != loaded.x509.public_key():
        return BadCertificate(key, f"is not the key of {certificate}")
    return loaded


def _load(path: Path) -> Certificate | BadCertificate:
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())[0]
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except OSError as error:
        return BadCertificate(path, error.strerror or "cannot be read")
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    except ValueError:
        return BadCertificate(path, "is not a certificate in PEM form")
    dns_names = tuple(names.get_values_for_type(x509.DNSName))
    return Certificate(path, dns_names, found.not_valid_before_utc, found.not_valid_after_utc, found)

"""Names match as TLS clients match them, and a signature is checked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mtad.startup.certificates import BadCertificate, Certificate, load_authority, load_pair
from mtad.startup.provision import make_ca, make_member_certificate


def loaded(ca_folder: Path, name: str) -> Certificate:
    pair = make_member_certificate(make_ca(ca_folder), name, ca_folder)
    certificate = load_pair(pair.certificate, pair.key)
    assert isinstance(certificate, Certificate)
    return certificate


@pytest.mark.parametrize(
    ("held", "wanted", "is_for"),
    [
        ("mx1.example.org", "mx1.example.org", True),
        ("mx1.example.org", "MX1.Example.Org", True),
        ("mx1.example.org", "example.org", False),
        ("*.example.org", "mx1.example.org", True),
        ("*.example.org", "a.mx1.example.org", False),
        ("*.example.org", "example.org", False),
    ],
)
def test_names(tmp_path: Path, held: str, wanted: str, is_for: bool) -> None:
    assert loaded(tmp_path, held).is_for(wanted) is is_for


def test_signatures(tmp_path: Path) -> None:
    certificate = loaded(tmp_path / "one", "alpha")
    ours, theirs = load_authority(tmp_path / "one/ca.pem"), load_authority(make_ca(tmp_path / "two").certificate)
    assert isinstance(ours, Certificate)
    assert isinstance(theirs, Certificate)
    assert (certificate.is_signed_by(ours), certificate.is_signed_by(theirs)) == (True, False)


def test_a_certificate_without_names_or_constraints(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    bare = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + timedelta(days=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "bare.pem"
    path.write_bytes(bare.public_bytes(serialization.Encoding.PEM))
    assert load_authority(path) == BadCertificate(path, "is no CA's certificate")
    key_path = tmp_path / "bare.key"
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    certificate = load_pair(path, key_path)
    assert isinstance(certificate, Certificate)
    assert certificate.names == ()

"""Keys and certificates are private, never overwritten, and work in a real handshake."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dkim
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from mtad.startup import provision


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> None:
    """Shake hands in memory until both are done; raises what ssl raises."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    left = client.wrap_bio(to_client, to_server, server_hostname=name)
    right = server.wrap_bio(to_server, to_client, server_side=True)
    waiting = [left, right]
    for _ in range(10):
        for side in list(waiting):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(side)
        if not waiting:
            right.write(b"x")
            left.read(1)
            return
    raise AssertionError("the handshake does not end")


def member_contexts(ca: provision.Ca, pair: provision.KeyPair) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    client = ssl.create_default_context(cafile=str(ca.certificate))
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(ca.certificate))
    server.verify_mode = ssl.CERT_REQUIRED
    for context in (client, server):
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        context.load_cert_chain(pair.certificate, pair.key)
    return client, server


def test_dkim_key_signs_and_its_record_verifies(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "example.org.pem"
    provision.make_dkim_key(path)
    message = b"From: a@example.org\r\nSubject: x\r\n\r\nbody\r\n"
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    plain = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    field = dkim.sign(message, b"s1", b"example.org", plain)
    record = provision.dkim_record(path).encode()
    assert dkim.verify(field + message, dnsfunc=lambda name, timeout=0: record)
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)


def test_dkim_record_of_an_ed25519_key_is_the_bare_public_key(tmp_path: Path) -> None:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    path = tmp_path / "k.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    assert provision.dkim_record(path) == "v=DKIM1; k=ed25519; p=A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="


def test_dkim_record_refuses_another_kind_of_key(tmp_path: Path) -> None:
    path = tmp_path / "k.pem"
    path.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    with pytest.raises(ValueError, match="neither"):
        provision.dkim_record(path)


def test_members_of_one_ca_shake_hands_both_ways(tmp_path: Path) -> None:
    ca = provision.make_ca(tmp_path / "pki")
    left = provision.make_member_certificate(ca, "alpha", tmp_path / "pki")
    right = provision.make_member_certificate(ca, "beta", tmp_path / "pki")
    for name in ("beta", "localhost", "127.0.0.1", "::1"):
        handshake(member_contexts(ca, left)[0], member_contexts(ca, right)[1], name)
    for path in (ca.certificate, ca.key, left.certificate, left.key):
        assert mode(path) == 0o600


def test_a_member_is_not_taken_for_another(tmp_path: Path) -> None:
    ca = provision.make_ca(tmp_path)
    alpha = provision.make_member_certificate(ca, "alpha", tmp_path)
    client, server = member_contexts(ca, alpha)
    with pytest.raises(ssl.SSLCertVerificationError, match="beta"):
        handshake(client, server, "beta")


def test_a_member_of_another_ca_is_refused(tmp_path: Path) -> None:
    ours, theirs = provision.make_ca(tmp_path / "ours"), provision.make_ca(tmp_path / "theirs")
    member = provision.make_member_certificate(ours, "alpha", tmp_path)
    stranger = provision.make_member_certificate(theirs, "beta", tmp_path)
    with pytest.raises(ssl.SSLError):
        handshake(member_contexts(theirs, stranger)[0], member_contexts(ours, member)[1], "alpha")


def test_a_ca_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    ca = provision.make_ca(tmp_path)
    other = tmp_path / "rsa.key"
    provision.make_dkim_key(other)
    with pytest.raises(ValueError, match="make_ca"):
        provision.make_member_certificate(provision.Ca(ca.certificate, other), "alpha", tmp_path)


def test_server_certificate_names_the_host(tmp_path: Path) -> None:
    pair = provision.make_server_certificate("mx.example.org", tmp_path)
    client = ssl.create_default_context(cafile=str(pair.certificate))
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(pair.certificate, pair.key)
    handshake(client, server, "mx.example.org")
    assert mode(pair.key) == 0o600


def test_validity_begins_before_now_and_lasts(tmp_path: Path) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    pair = provision.make_server_certificate("mx.example.org", tmp_path, now=now)
    certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    assert certificate.not_valid_before_utc == now - timedelta(hours=1)
    assert certificate.not_valid_after_utc == now + timedelta(days=provision.CERTIFICATE_DAYS)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    ca = provision.make_ca(tmp_path)
    (tmp_path / "dkim.pem").write_text("kept")
    (tmp_path / "alpha.key").write_text("kept")
    (tmp_path / "mx.example.org.pem").write_text("kept")
    with pytest.raises(FileExistsError):
        provision.make_ca(tmp_path)
    with pytest.raises(FileExistsError):
        provision.make_dkim_key(tmp_path / "dkim.pem")
    with pytest.raises(FileExistsError):
        provision.make_member_certificate(ca, "alpha", tmp_path)
    with pytest.raises(FileExistsError):
        provision.make_server_certificate("mx.example.org", tmp_path)
    assert (tmp_path / "alpha.key").read_text() == "kept"
    assert not (tmp_path / "alpha.pem").exists()
    assert not (tmp_path / "mx.example.org.key").exists()
    with pytest.raises(FileExistsError):
        provision.write_private(tmp_path / "dkim.pem", b"new")


def test_every_folder_that_is_made_is_private(tmp_path: Path) -> None:
    provision.make_private_folder(tmp_path / "a" / "b" / "c")
    assert [mode(tmp_path / each) for each in ("a", "a/b", "a/b/c")] == [0o700] * 3
    (tmp_path / "a").chmod(0o755)
    provision.make_private_folder(tmp_path / "a")
    assert mode(tmp_path / "a") == 0o755
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        provision.make_private_folder(tmp_path / "file")

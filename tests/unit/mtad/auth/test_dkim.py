"""Signatures that dkimpy and `cryptography` verify; keys that cannot be used, and why."""

from __future__ import annotations

import base64
from pathlib import Path
from types import SimpleNamespace

import dkim
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from mtad.auth.dkim import (
    BadKey,
    BodyForm,
    KeyFile,
    Signer,
    SigningKey,
    load,
    load_key,
    record_strings,
    record_text,
)

RSA = rsa.generate_private_key(public_exponent=65537, key_size=1024)
ED25519 = Ed25519PrivateKey.generate()
CONTENT = (
    b"Received: from x by y; Thu, 1 Jan 2026 00:00:00 +0000\r\n"
    b"From:  A  <a@example.com>\r\n"
    b"To: b@example.net,\r\n\tc@example.net\r\n"
    b"Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\n"
    b"Date: Thu, 1 Jan 2026 00:00:00 +0000\r\n"
    b"Message-ID: <1@example.com>\r\n"
    b"X-Other: not signed\r\n"
    b"\r\n"
    b"Hello  there \t \r\n\r\n.\r\n \r\n\r\n\r\n"
)


def pem(key: rsa.RSAPrivateKey | Ed25519PrivateKey | ec.EllipticCurvePrivateKey, password: bytes = b"") -> bytes:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def verifies(message: bytes, key: SigningKey) -> bool:
    """Ask dkimpy, which finds the key's record at the right name only."""

    def text_record(name: bytes, timeout: int = 5) -> bytes:
        is_right = name == f"{key.selector}._domainkey.{key.domain}.".encode()
        return record_text(key).encode() if is_right else b""

    return bool(dkim.verify(message, dnsfunc=text_record))


class _VerifyKey:
    """What dkimpy asks of PyNaCl, done by `cryptography`."""

    def __init__(self, text: bytes, encoder: object) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(base64.b64decode(text))

    def verify(self, digest: bytes, signature: bytes) -> None:
        self._key.verify(signature, digest)


@pytest.fixture
def ed25519_in_dkimpy(monkeypatch: pytest.MonkeyPatch) -> None:
    nacl = SimpleNamespace(
        signing=SimpleNamespace(VerifyKey=_VerifyKey),
        encoding=SimpleNamespace(Base64Encoder=None),
        exceptions=SimpleNamespace(ValueError=ValueError, BadSignatureError=InvalidSignature),
    )
    monkeypatch.setattr(dkim, "nacl", nacl, raising=False)


@pytest.mark.usefixtures("ed25519_in_dkimpy")
@pytest.mark.parametrize("form", BodyForm)
@pytest.mark.parametrize("private", [RSA, ED25519], ids=["rsa", "ed25519"])
@pytest.mark.parametrize(
    "body", [CONTENT.partition(b"\r\n\r\n")[2], b"", b"\r\n\r\n", b" \r\n", b"no line end", b"a\tb"]
)
def test_signature_verifies(form: BodyForm, private: rsa.RSAPrivateKey | Ed25519PrivateKey, body: bytes) -> None:
    content = CONTENT.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + body
    key = SigningKey("example.com", "s1", private)
    field = Signer([key], form).sign(content, "example.com")
    assert field.startswith(b"DKIM-Signature: v=1; a=")
    assert field.endswith(b"\r\n")
    assert max(len(line) for line in field.split(b"\r\n")) <= 78
    assert verifies(field + content, key)


def test_a_changed_message_does_not_verify() -> None:
    key = SigningKey("example.com", "s1", RSA)
    signed = Signer([key]).sign(CONTENT, "example.com") + CONTENT
    assert verifies(signed.replace(b"X-Other: not", b"X-Other: never"), key)
    assert not verifies(signed.replace(b"Hello", b"Hallo"), key)
    assert not verifies(signed.replace(b"To: b@", b"To: x@"), key)
    assert not verifies(b"From: evil@example.org\r\n" + signed, key)  # oversigned


def test_what_is_signed() -> None:
    signer = Signer([SigningKey("example.com", "s1", ED25519)], wall=lambda: 1234567890.5)
    field = signer.sign(CONTENT, "example.com").replace(b"\r\n ", b" ")
    assert b"h=from : to : subject : date : message-id : from;" in field
    assert b"t=1234567890;" in field
    assert b"c=relaxed/relaxed; d=example.com; s=s1;" in field


def test_policy_says_which_fields_are_signed_and_none_of_them_can_be_added() -> None:
    key = SigningKey("example.com", "s1", RSA)
    signed = Signer([key]).sign_by(CONTENT, "example.com", "", ("subject", "x-other", "list-id"))
    assert signed is not None
    assert b"h=from : subject : x-other : from : list-id;" in signed.replace(b"\r\n ", b" ")
    content = signed + CONTENT
    assert verifies(content, key)
    assert verifies(content.replace(b"To: b@", b"To: x@"), key)
    assert not verifies(content.replace(b"X-Other: not", b"X-Other: never"), key)
    assert not verifies(b"List-Id: <x.example>\r\n" + content, key)


def test_fields_of_one_name_are_signed_from_the_last_on() -> None:
    key = SigningKey("example.com", "s1", RSA)
    content = b"From: a@example.com\r\nTo: b\r\nto:\r\n\tc\r\n" + CONTENT
    signed = Signer([key]).sign(content, "example.com") + content
    assert verifies(signed, key)
    assert not verifies(signed.replace(b"To: b\r", b"To: x\r"), key)
    assert not verifies(signed.replace(b"\tc\r\n", b"\tx\r\n"), key)


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("example.com", b"d=example.com; s=one;"),
        ("EXAMPLE.NET", b"d=example.net; s=two;"),
        ("mail.example.net", b"d=example.net; s=two;"),
        ("example.org", b"d=example.com; s=one;"),
        ("", b"d=example.com; s=one;"),
    ],
)
def test_which_key_signs(domain: str, expected: bytes) -> None:
    signer = Signer([SigningKey("example.com", "one", ED25519), SigningKey("example.net", "two", ED25519)])
    assert expected in signer.sign(CONTENT, domain).replace(b"\r\n ", b" ")


@pytest.mark.parametrize(
    "content",
    [
        b"Subject: nobody wrote this\r\n\r\nbody\r\n",
        b"From: a@example.com\r\nno field at all\r\n\r\nbody\r\n",
        b" continues nothing\r\nFrom: a@example.com\r\n\r\nbody\r\n",
        b"",
    ],
)
def test_what_cannot_be_signed_stays_unsigned(content: bytes) -> None:
    assert Signer([SigningKey("example.com", "s1", ED25519)]).sign(content, "example.com") == b""


def test_without_keys_nothing_is_signed() -> None:
    assert Signer([]).sign(CONTENT, "example.com") == b""


def test_content_without_a_body() -> None:
    key = SigningKey("example.com", "s1", RSA)
    content = b"From: a@example.com\r\n"
    assert verifies(Signer([key]).sign(content, "example.com") + content, key)


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (None, "No such file or directory"),
        (b"hello", "is not a private key in PEM form"),
        (pem(ED25519).replace(b"MC4", b"AAA"), "is not a private key in PEM form"),
        (pem(ED25519, b"secret"), "is encrypted with a passphrase"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "is neither an RSA nor an Ed25519 key"),
    ],
)
def test_keys_that_cannot_be_used(octets: bytes | None, why: str, tmp_path: Path) -> None:
    file = KeyFile("example.com", "s1", tmp_path / "key.pem")
    if octets is not None:
        file.path.write_bytes(octets)
    bad = load_key(file)
    assert isinstance(bad, BadKey)
    assert str(bad) == f"{file.path}: {why}"


def test_short_rsa_keys_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtad.auth.dkim.RSA_BITS_MIN", 1025)  # keys under 1024 bits can hardly be made any more
    (tmp_path / "key.pem").write_bytes(pem(RSA))
    bad = load_key(KeyFile("example.com", "s1", tmp_path / "key.pem"))
    assert isinstance(bad, BadKey)
    assert bad.why == "has 1024 bits, at least 1025 are needed (better 2048)"


def test_all_bad_keys_are_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "good").write_bytes(pem(RSA))
    files = [KeyFile("example.com", "s1", tmp_path / name) for name in ("one", "good", "two")]
    bad = load(files)
    assert isinstance(bad, tuple)
    assert [key.file.path.name for key in bad] == ["one", "two"]
    assert isinstance(load(files[1:2]), Signer)


def test_the_record_fits_into_strings() -> None:
    key = SigningKey("example.com", "s1", rsa.generate_private_key(public_exponent=65537, key_size=2048))
    strings = record_strings(record_text(key))
    assert len(strings) == 2
    assert max(len(string) for string in strings) <= 255
    assert "".join(strings) == record_text(key)
    assert record_text(SigningKey("example.com", "s1", ED25519)).startswith("v=DKIM1; k=ed25519; p=")


@pytest.mark.parametrize(
    ("domain", "selector", "expected"),
    [
        ("example.com", "", b"s=s1;"),
        ("Example.COM", "S2", b"s=s2;"),
        ("example.com", "s3", None),
        ("sub.example.com", "", None),
        ("example.net", "", b"d=example.net;"),
    ],
)
def test_a_key_that_is_named_signs_or_none(domain: str, selector: str, expected: bytes | None) -> None:
    keys = [SigningKey("example.com", "s1", ED25519), SigningKey("example.com", "s2", ED25519)]
    field = Signer([*keys, SigningKey("example.net", "s1", ED25519)]).sign_by(CONTENT, domain, selector)
    assert field is None if expected is None else expected in (field or b"").replace(b"\r\n ", b" ")

"""Files with a user and a password: read when they are needed, and nothing of them told."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest

from mtad.delivery.credentials import FILE_OCTETS_MAX, TEXT_OCTETS_MAX, BadCredentials, Credentials, read
from mtad.delivery.login import Login
from mtad.telemetry.events import CollectedEvents
from tests.fakes.certificate_authority import CertificateAuthority

GOOD = 'user = "alice"\npassword = "pencil"\n'


def written(folder: Path, text: str | bytes, mode: int = 0o640) -> Path:
    path = folder / "relay.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


def test_a_user_and_a_password(tmp_path: Path) -> None:
    login = read(written(tmp_path, GOOD))
    assert isinstance(login, Login)
    assert (login.user, login.password, login.mechanism, login.is_own_ca) == ("alice", "pencil", "", False)
    assert (login.tls_context.check_hostname, login.tls_context.verify_mode) == (True, ssl.CERT_REQUIRED)


def test_a_mechanism_and_an_authority_beside_the_file(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    login = read(written(tmp_path, f'{GOOD}mechanism = "LOGIN"\nca = "{authority.path.name}"\n'))
    assert isinstance(login, Login)
    assert (login.mechanism, login.is_own_ca) == ("LOGIN", True)
    assert [dict(part[0] for part in one["subject"]) for one in login.tls_context.get_ca_certs()] == [
        {"commonName": "test-ca"}
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('user = "alice"\npassword = "pencil\n', "is no TOML"),
        (b'user = "\xff"\npassword = "pencil"\n', "is no TOML"),
        ('user = "alice"\n', "needs a user and a password"),
        (f'{GOOD}host = "pencil"\n', "has keys other than user, password, mechanism, ca"),
        ('user = "alice"\npassword = 1\n', f"password must be a text of 1 to {TEXT_OCTETS_MAX} octets"),
        ('user = ""\npassword = "pencil"\n', f"user must be a text of 1 to {TEXT_OCTETS_MAX} octets"),
        ('user = "a\\u0000"\npassword = "pencil"\n', f"user must be a text of 1 to {TEXT_OCTETS_MAX} octets"),
        (f'user = "a"\npassword = "{"é" * 501}"\n', f"password must be a text of 1 to {TEXT_OCTETS_MAX} octets"),
        (f'{GOOD}mechanism = "GSSAPI"\n', "mechanism must be one of SCRAM-SHA-256, PLAIN, LOGIN"),
        (f'{GOOD}ca = "none.pem"\n', "ca {folder}/none.pem cannot be read: No such file or directory"),
        (f'{GOOD}ca = "relay.toml"\n', "ca {folder}/relay.toml holds no certificates"),
        (GOOD + "#" * FILE_OCTETS_MAX, f"is larger than {FILE_OCTETS_MAX} octets"),
    ],
)
def test_a_file_that_cannot_be_used(text: str | bytes, why: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    found = read(path)
    assert isinstance(found, BadCredentials)
    assert str(found) == f"{path}: {why.format(folder=tmp_path)}"
    assert "pencil" not in repr(found)


def test_a_file_that_is_not_there_or_open_to_others(tmp_path: Path) -> None:
    assert str(read(tmp_path / "none")) == f"{tmp_path}/none: cannot be read: No such file or directory"
    assert str(read(written(tmp_path, GOOD, 0o644))) == f"{tmp_path}/relay.toml: is open to others (mode 0644)"


async def test_a_file_that_has_changed_is_read_again(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    credentials = Credentials({"relay": path}, CollectedEvents())
    first = await credentials.login("relay")
    assert isinstance(first, Login)
    assert await credentials.login("relay") is first
    path.write_text(GOOD.replace("pencil", "stone!"))
    os.utime(path, ns=(1, 1))  # whatever the clock of the disk can tell apart
    second = await credentials.login("relay")
    assert isinstance(second, Login)
    assert second.password == "stone!"
    path.unlink()
    assert isinstance(await credentials.login("relay"), BadCredentials)


async def test_a_name_that_is_not_there() -> None:
    found = await Credentials({}, CollectedEvents()).login("relay")
    assert str(found) == "relay: mtad.toml has no such name in delivery.credentials"

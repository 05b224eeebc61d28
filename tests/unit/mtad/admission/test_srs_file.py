from __future__ import annotations

from pathlib import Path

import pytest

from mtad.admission.policy import Policy, PolicyErrors, PolicySettings
from mtad.admission.srs_file import FILE, SECRET_OCTETS_MAX, SECRETS_MAX, BadSecrets, read_secrets
from mtad.mail.srs import Srs
from mtad.telemetry.events import CollectedEvents


def secrets(folder: Path, text: str, mode: int = 0o640) -> Path:
    file = folder / FILE
    file.write_text(text)
    file.chmod(mode)
    return file


def test_secrets_are_lines(tmp_path: Path) -> None:
    assert read_secrets(tmp_path) is None
    secrets(tmp_path, "# newest first\n0123456789abcdef new\n\n0123456789abcdef old\r\n")
    assert read_secrets(tmp_path) == Srs((b"0123456789abcdef new", b"0123456789abcdef old"))


@pytest.mark.parametrize(
    ("text", "mode", "why"),
    [
        ("# none\n", 0o600, "has no secret"),
        ("short\n", 0o600, "a secret has 16 to 256 octets"),
        ("x" * (SECRET_OCTETS_MAX + 1), 0o600, "a secret has 16 to 256 octets"),
        ("0123456789abcdef\n" * (SECRETS_MAX + 1), 0o600, "has more than 16 secrets"),
        ("0123456789abcdef\n", 0o644, "is open to others: chmod 640"),
        ("0123456789abcdef\n", 0o660, "is open to others: chmod 640"),
    ],
)
def test_what_is_no_secret_is_told(tmp_path: Path, text: str, mode: int, why: str) -> None:
    file = secrets(tmp_path, text, mode)
    assert read_secrets(tmp_path) == BadSecrets(file, why)


def test_a_policy_finds_its_secrets_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "policy.sieve"
    path.write_text('require ["vnd.mtad.stage", "vnd.mtad.envelope"]; stage "mail" { setsender :srs "fwd.example"; }')
    found = Policy.load(path, PolicySettings(), CollectedEvents())
    assert "SRS needs its secrets" in str(found)
    file = secrets(tmp_path, "short\n")
    found = Policy.load(path, PolicySettings(), CollectedEvents())
    assert isinstance(found, PolicyErrors)
    assert str(found) == f"{file}:1:1: a secret has 16 to 256 octets"
    secrets(tmp_path, "0123456789abcdef\n")
    assert isinstance(Policy.load(path, PolicySettings(), CollectedEvents()), Policy)

"""Reads the secrets of `setsender :srs`, which lie beside the policy: one a line, the first makes, all are known."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from mtad.mail.srs import Srs
from mtad.private_file import is_open_to_others

FILE = "srs.secrets"
SECRETS_MAX = 16
SECRET_OCTETS_MIN, SECRET_OCTETS_MAX = 16, 256


@dataclass(frozen=True, slots=True)
class BadSecrets:
    """A file that cannot be used; `why` completes "file: ..."."""

    file: Path
    why: str

    def __str__(self) -> str:
        return f"{self.file}: {self.why}"


def read_secrets(folder: Path) -> Srs | BadSecrets | None:
    """Read the secrets in the folder of a policy; None where there are none. Lines that begin with # are comments."""
    file = folder / FILE
    try:
        with file.open("rb") as opened:
            is_open = is_open_to_others(os.fstat(opened.fileno()).st_mode)
            octets = opened.read((SECRET_OCTETS_MAX + 2) * (SECRETS_MAX + 1))
    except FileNotFoundError:
        return None
    except OSError as error:
        return BadSecrets(file, error.strerror or "cannot be read")
    if is_open:
        return BadSecrets(file, "is open to others: chmod 640")
    lines = [line.strip() for line in octets.splitlines()]
    secrets = [line for line in lines if line and not line.startswith(b"#")]
    if not secrets:
        return BadSecrets(file, "has no secret")
    if len(secrets) > SECRETS_MAX:
        return BadSecrets(file, f"has more than {SECRETS_MAX} secrets")
    if not all(SECRET_OCTETS_MIN <= len(secret) <= SECRET_OCTETS_MAX for secret in secrets):
        return BadSecrets(file, f"a secret has {SECRET_OCTETS_MIN} to {SECRET_OCTETS_MAX} octets")
    return Srs(tuple(secrets))

"""Users whose passwords stand in a dialog, behind the real mechanisms."""

from __future__ import annotations

from collections.abc import Mapping

from mtad.mail.envelope import Client
from mtad.users.mechanisms import MECHANISMS, Login, Plain, ScramSha256
from mtad.users.verifier import SCRAM_ITERATIONS_MIN, ScramVerifier


class ListedUsers:
    """Knows users by their passwords in clear text."""

    def __init__(self, passwords: Mapping[str, str]) -> None:
        self._passwords = passwords
        self.mechanisms = tuple(MECHANISMS)

    def begin(self, mechanism: str, client: Client) -> Plain | Login | ScramSha256:
        """Begin an exchange."""
        return MECHANISMS[mechanism](self)

    async def fits(self, name: str, password: str) -> bool:
        """Tell whether a user is there and has this password."""
        return self._passwords.get(name) == password

    async def verifier(self, name: str) -> tuple[ScramVerifier, bool]:
        """Return a user's verifier, and whether the user is there."""
        password = self._passwords.get(name, "")
        return ScramVerifier.of(password, iterations=SCRAM_ITERATIONS_MIN), name in self._passwords

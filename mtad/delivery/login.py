"""How we show a next hop who we are: AUTH, PLAIN, LOGIN and SCRAM-SHA-256 (RFC 4954, RFC 4616, RFC 5802, RFC 7677).

No mechanism sends anything with the command itself: a password may be too long for its line (RFC 4954 §4).
"""

from __future__ import annotations

import base64
import secrets
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from mtad.delivery.scram_client import Salted, Scram
from mtad.users.saslprep import saslprep

HIDDEN = "(a text that holds the password)"


class Exchange(Protocol):
    """One exchange of a mechanism."""

    @property
    def mechanism(self) -> str: ...

    @property
    def is_complete(self) -> bool:
        """Tell whether the server may say now that it takes us."""
        ...

    def answer(self, challenge: bytes) -> bytes | None:
        """Return what is said to a challenge; None when nothing can be."""
        ...


class Told:
    """An exchange in which the server's words do not matter: so many answers, one after the other."""

    def __init__(self, mechanism: str, *answers: bytes) -> None:
        self.mechanism = mechanism
        self._left = list(answers)

    @property
    def is_complete(self) -> bool:
        return not self._left

    def answer(self, challenge: bytes) -> bytes | None:
        return self._left.pop(0) if self._left else None


@dataclass(frozen=True, slots=True)
class Login:
    """As whom we log in at next hops.

    tls_context   for those to whom the password may be told: whoever they are, their certificate is verified
    is_own_ca     it is by an authority that the operator names: one on this machine has such a certificate, too
    mechanism     the only one to use; '' is the best that is offered
    """

    user: str
    password: str = field(repr=False)
    tls_context: ssl.SSLContext
    is_own_ca: bool = False
    mechanism: str = ""
    nonce: Callable[[], str] = field(default=lambda: secrets.token_urlsafe(18), repr=False, compare=False)
    salted: Salted = field(default_factory=dict, repr=False, compare=False)

    def begin(self, offered: str) -> Exchange | None:
        """Begin an exchange; None when the next hop offers nothing that we have. `offered`: the parameters of AUTH."""
        names = {word.upper() for word in offered.split()}
        usable = (name for name in MECHANISMS if name in names and self.mechanism in ("", name))
        chosen = next(usable, None)
        return None if chosen is None else MECHANISMS[chosen](self)

    def hidden(self, text: str) -> str:
        """Return a text for our log without the password, which a next hop might say again."""
        plain = b"\0".join((b"", self.user.encode(), self.password.encode()))
        forms = (self.password, *(base64.b64encode(one).decode() for one in (self.password.encode(), plain)))
        return HIDDEN if any(form in text for form in forms) else text


def _scram(login: Login) -> Exchange:
    user, password = saslprep(login.user) or login.user, saslprep(login.password) or login.password
    return Scram(user, password, login.nonce(), login.salted)


def _plain(login: Login) -> Exchange:
    return Told("PLAIN", b"\0".join((b"", login.user.encode(), login.password.encode())))


def _login(login: Login) -> Exchange:
    return Told("LOGIN", login.user.encode(), login.password.encode())


MECHANISMS: Mapping[str, Callable[[Login], Exchange]] = {"SCRAM-SHA-256": _scram, "PLAIN": _plain, "LOGIN": _login}
"""The best one first."""

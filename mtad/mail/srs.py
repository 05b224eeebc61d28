"""Reverse-paths of forwarded mail that lead back through us: the Sender Rewriting Scheme, made and read (pure).

    SRS0=HASH=DAY=DOMAIN=LOCAL@OURS     of a sender
    SRS1=HASH=HOST=REST@OURS            of what the forwarder HOST has made of one: bounces go back to it

The hash is made with a secret, so that nobody has us send mail to addresses of his choice. Letters are compared without
their case, for servers on the way may have changed it.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from mtad.mail.address import Mailbox, parse_mailbox

DAYS_MAX = 21  # that a bounce may take
PATH_OCTETS_MAX = 254  # RFC 5321 §4.5.3.1.3, without its brackets

_HASH_LENGTH = 6
_DAYS = 1024  # two characters of base32
_DIGITS = "abcdefghijklmnopqrstuvwxyz234567"
_MADE_0 = re.compile(r"SRS0[=+-]([a-z2-7]{6})=([a-z2-7]{2})=([^=]+)=(.+)", re.IGNORECASE)
_MADE_1 = re.compile(r"SRS1[=+-]([a-z2-7]{6})=([^=]+)=([=+-].+)", re.IGNORECASE)
_ANY_0 = re.compile(r"SRS0([=+-].+)", re.IGNORECASE)
_ANY_1 = re.compile(r"SRS1[=+-][^=]*=([^=]+)=([=+-].+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Srs:
    """Makes such paths with the first of its secrets, and reads those that were made with any."""

    secrets: Sequence[bytes] = field(repr=False)

    def made(self, path: str, domain: str, day: int) -> str:
        """Return the path under a domain of ours; as it was where it is null, ours already or cannot be put into one.

        day   since 1970
        """
        mailbox = parse_mailbox(path) if path else None
        if not isinstance(mailbox, Mailbox) or not mailbox.domain or not path.isascii():
            return path
        local, of = mailbox.local_part, mailbox.domain
        if of.lower() == domain.lower() or local.startswith('"') or of.startswith("["):
            return path
        if found := _ANY_0.fullmatch(local):
            made = self._of_forwarder(of, found[1])
        elif found := _ANY_1.fullmatch(local):
            made = self._of_forwarder(found[1], found[2])
        else:
            stamp = _DIGITS[day // 32 % 32] + _DIGITS[day % 32]
            made = f"SRS0={_hash(self.secrets[0], 'srs0', stamp, of, local)}={stamp}={of}={local}"
        path_made = f"{made}@{domain}"
        return path_made if len(path_made) <= PATH_OCTETS_MAX else path

    def read(self, path: str, day: int) -> str | None:
        """Return the path that one was made of; None where it was not made by us, or too long ago."""
        local = path.rpartition("@")[0] if path.isascii() else ""  # no other was made; some letters pass for ASCII
        if found := _MADE_0.fullmatch(local):
            mac, stamp, of, sender = found.groups()
            made = _DIGITS.index(stamp[0].lower()) * 32 + _DIGITS.index(stamp[1].lower())
            age = (day - made + 1) % _DAYS - 1  # the clock that it was made by may be a day ahead
            return f"{sender}@{of}" if age <= DAYS_MAX and self._is_ours(mac, "srs0", stamp, of, sender) else None
        if found := _MADE_1.fullmatch(local):
            mac, host, rest = found.groups()
            return f"SRS0{rest}@{host}" if self._is_ours(mac, "srs1", host, rest) else None
        return None

    def _of_forwarder(self, host: str, rest: str) -> str:
        return f"SRS1={_hash(self.secrets[0], 'srs1', host, rest)}={host}={rest}"

    def _is_ours(self, mac: str, kind: str, *parts: str) -> bool:
        return any([hmac.compare_digest(mac.lower(), _hash(secret, kind, *parts)) for secret in self.secrets])


def _hash(secret: bytes, kind: str, *parts: str) -> str:
    """Return what only who has the secret can make; what is made for one kind is none of another."""
    digest = hmac.digest(secret, "=".join((kind, *parts)).lower().encode(), "sha256")
    return base64.b32encode(digest).decode("ascii")[:_HASH_LENGTH].lower()

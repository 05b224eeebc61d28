"""Who sent a message: what the methods of RFC 8601 §2.7 find, who tries them, and the field that tells of it (§2.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from mtad.mail.utf8 import ascii_domain

FIELD_NAME = "Authentication-Results"
POLICIES = frozenset({"none", "quarantine", "reject"})  # RFC 7489 §6.3

_TOKEN = re.compile(r"[!#$%&'*+./0-9=?@A-Z^_`a-z{|}~-]+")
_SERVER_ID = re.compile(
    r'(?:\s|\((?:[^()\\]|\\.)*+\))*+(?:"((?:[^"\\]|\\.)*+)"|([^\s;"()\\]++))(?=[\s;(]|\Z)', re.DOTALL
)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)


class Method(StrEnum):
    """The methods, by their names (RFC 8601 §2.7, RFC 7489 §11.1, RFC 8617 §10.1)."""

    SPF = "spf"
    DKIM = "dkim"
    DMARC = "dmarc"
    ARC = "arc"


_ANY = frozenset({"none", "pass", "fail"})
_ERRORS = frozenset({"temperror", "permerror"})
RESULTS: Mapping[Method, frozenset[str]] = {
    Method.SPF: _ANY | _ERRORS | {"softfail", "neutral", "policy"},
    Method.DKIM: _ANY | _ERRORS | {"neutral", "policy"},
    Method.DMARC: _ANY | _ERRORS,
    Method.ARC: _ANY,
}
"""What each method may come to."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a method came to; DKIM finds once for each signature, and nothing where there is none.

    domain     that SPF looked at, of the signer, or of the author
    selector   of a signature
    policy     what the author's domain wants done with what fails; '' where it says nothing
    """

    result: str
    domain: str = ""
    selector: str = ""
    policy: str = ""


@dataclass(frozen=True, slots=True)
class Untried:
    """A method that could not be tried; the text is for our log."""

    why: str


@dataclass(frozen=True, slots=True)
class Subject:
    """What a method is tried on.

    reverse_path   with '' SPF looks at the name of HELO (RFC 7208 §2.4)
    content        as the client has sent it; b'' before it came
    """

    client_address: str
    helo: str
    reverse_path: str
    content: bytes = b""


class Methods(Protocol):
    """Who tries the methods."""

    async def findings(self, method: Method, subject: Subject) -> Sequence[Finding] | Untried:
        """Try one of them. Never raises."""
        ...


class NoMethods:
    """Stands where nobody tries them."""

    async def findings(self, method: Method, subject: Subject) -> Sequence[Finding] | Untried:
        """Say so."""
        return Untried(f"{method} is not available")


Found = tuple[Method, Finding]


def field_value(server_id: str, identity: str, found: Iterable[Found]) -> str:
    """Return the value of the field (§2.2); `identity` is who authenticated to us, '' nobody."""
    parts = [f"auth=pass smtp.auth={_quoted(identity)}"] if identity else []
    parts += [f"{method}={finding.result}{_properties(method, finding)}" for method, finding in found]
    return "; ".join([server_id, *(parts or ["none"])])


def server_id_of(value: str) -> str:
    """Return, folded, who claims to have written such a field; '' where that cannot be read."""
    found = _SERVER_ID.match(value)
    if found is None:
        return ""
    name = found[2] or _QUOTED_PAIR.sub(r"\1", found[1]).strip()
    return (ascii_domain(name) or name).lower()


_DOMAIN_PROPERTIES: Mapping[Method, str] = {
    Method.SPF: "smtp.mailfrom",
    Method.DKIM: "header.d",
    Method.DMARC: "header.from",
}


def _properties(method: Method, finding: Finding) -> str:
    name = _DOMAIN_PROPERTIES.get(method, "")
    known = {name: finding.domain, "header.s": finding.selector, "policy.published": finding.policy}
    return "".join(f" {name}={_quoted(value)}" for name, value in known.items() if name and value)


def _quoted(value: str) -> str:
    """Return a value as a token or a quoted string (RFC 2045 §5.1): strangers choose it."""
    if _TOKEN.fullmatch(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

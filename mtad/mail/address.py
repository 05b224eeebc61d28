"""Paths of the envelope (RFC 5321 §4.1.2): parsing what a client sends, and the pieces that decisions need."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mtad.mail.utf8 import ascii_domain

PATH_OCTETS_MAX = 1024  # RFC 5321 §4.5.3.1.3 asks for 256; larger ones are harmless and exist
# What is not ASCII may stand where a letter may (RFC 6531 §3.3). The sets name which ASCII characters they leave out:
# naming all others instead takes re 5 ms a set, at the start of every process.
_ATEXT = r'[^\x00-\x20"(),.:;<>@\[\\\]\x7f]+'
_LOCAL_PART = rf'(?:{_ATEXT}(?:\.{_ATEXT})*+|"(?:[^\x00-\x1f"\\\x7f]|\\[\x20-\x7e])*+")'
_LET_DIG = r"[^\x00-/:-@\[-^`{-\x7f]"
_LABEL = rf"{_LET_DIG}++(?:-++{_LET_DIG}++)*+"
_DOMAIN = rf"(?:{_LABEL}(?:\.{_LABEL})*+|\[[0-9A-Za-z.:\-]+\])"
_MAILBOX = re.compile(rf"({_LOCAL_PART})(?:@({_DOMAIN}))?+\Z")
_LOCAL_PART_FIRST = re.compile(_LOCAL_PART)
_SOURCE_ROUTE = re.compile(rf"@{_LABEL}(?:\.{_LABEL})*(?:,@{_LABEL}(?:\.{_LABEL})*)*:")
_QUOTED_PAIR = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A local part and a domain, as the client wrote them."""

    local_part: str
    domain: str  # '' only for `postmaster` without a domain

    def __str__(self) -> str:
        return f"{self.local_part}@{self.domain}" if self.domain else self.local_part

    @property
    def domain_folded(self) -> str:
        """The domain in the form that comparisons use."""
        return self.domain.lower()


@dataclass(frozen=True, slots=True)
class BadPath:
    """Why a path was not understood; the text may go to the client."""

    why: str


def mailbox_key(address: str) -> str:
    """Return what all spellings of one mailbox have in common (RFC 5321 §2.4, §4.1.2; RFC 5890 §2.3.2.1).

    They differ in the case of the domain, in its being in UTF-8, and in quotes that need not be. It is no address.
    """
    local_part, _, domain = address.rpartition("@")
    if local_part.startswith('"'):
        local_part = _QUOTED_PAIR.sub(r"\1", local_part[1:-1])
    return f"{local_part}@{(ascii_domain(domain) or domain).lower()}"


def parse_mailbox(text: str) -> Mailbox | BadPath:
    """Parse `local-part@domain`, without angle brackets."""
    if len(text) > PATH_OCTETS_MAX:
        return BadPath("Path too long")
    found = _MAILBOX.match(text)
    if found is None:
        return BadPath("Syntax error in address" if _LOCAL_PART_FIRST.match(text) else "Syntax error in local part")
    local_part, domain = found.groups()
    if domain is not None:
        return Mailbox(local_part, domain)
    return Mailbox(text, "") if text.lower() == "postmaster" else BadPath("Address needs a domain")


def parse_path(text: str) -> Mailbox | BadPath | None:
    """Parse what stands between `<` and `>`; None is the null reverse-path. Source routes are dropped (§4.1.1.3)."""
    if not text:
        return None
    route = _SOURCE_ROUTE.match(text)
    return parse_mailbox(text[route.end() :] if route else text)

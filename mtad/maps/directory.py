"""Maps in directories (LDAP, RFC 4511): one search, with the key in its filter.

The file says where and what:

    url = "ldaps://ldap.example.org"            or ldap://, with StartTLS unless it is this machine; or ldapi://
    base = "ou=people,dc=example,dc=org"
    filter = "(mail=:key)"                      :local_part and :domain are the key's parts
    attribute = "homeDirectory"                 of the entries that are found; without it the value is ''
    bind_dn = "cn=mtad,dc=example,dc=org"
    password = "..."
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from mtad.maps.answer import ABSENT, Answer, Found, Unavailable, folded
from mtad.maps.description import IS_OPEN, parts_of, read_description
from mtad.maps.lines import Wrong
from mtad.maps.threads import ThreadLimits, Threads

ENTRIES_MAX = 1_000
VALUE_LENGTH_MAX = 100_000
_PART = re.compile(r":(key|local_part|domain)\b")
_SPECIAL = re.compile(r"[\\*()\0]")  # RFC 4515 §3
_NEEDED, _POSSIBLE = {"url", "base", "filter"}, {"attribute", "bind_dn", "password"}
_SCHEMES = ("ldap", "ldaps", "ldapi")
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Search:
    """What the file of a map says."""

    url: str
    base: str
    filter: str
    attribute: str = ""
    bind_dn: str = ""
    password: str = ""

    @property
    def needs_start_tls(self) -> bool:
        """Whether the connection begins in clear, and crosses a network."""
        url = urlsplit(self.url)
        return url.scheme == "ldap" and url.hostname not in _THIS_MACHINE

    def filter_for(self, key: str) -> str:
        """Return the filter with the key in it, which cannot change it."""
        parts = parts_of(key)
        return _PART.sub(lambda found: _escaped(parts[found[1]]), self.filter)


class Bound(Protocol):
    """A connection to a directory, bound as the file says; used by one thread at a time."""

    def search(self, filter_text: str, entries_max: int) -> Sequence[Sequence[bytes]]:
        """Return the attribute's values of each entry."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


class Directory:
    """One search in one directory. A connection that failed is not used again, and a kept one that did is made anew."""

    def __init__(self, search: Search, connect: Callable[[], Bound], limits: ThreadLimits | None = None) -> None:
        self._search = search
        self._connect = connect
        self._kept: list[Bound] = []
        self._threads = Threads(limits)

    async def ask(self, key: str) -> Answer:
        """Return the values of all entries that are found, between commas; no entry: there is no such key."""
        filter_text = self._search.filter_for(folded(key))
        try:
            entries = await self._threads.run(lambda: self._found(filter_text))
        except Exception as error:  # noqa: BLE001 - the library has many: whatever it is, nothing is known
            return Unavailable(f"{type(error).__name__}: {error}"[:200])
        if not entries:
            return ABSENT
        value = ",".join(octets.decode("utf-8", "surrogateescape") for entry in entries for octets in entry)
        if len(entries) > ENTRIES_MAX or len(value) > VALUE_LENGTH_MAX:
            return Unavailable("the answer is too long")
        return Found(value)

    def close(self) -> None:
        """Close the connections."""
        while self._kept:
            self._kept.pop().close()

    def _found(self, filter_text: str) -> Sequence[Sequence[bytes]]:
        try:
            kept = self._kept.pop()  # a list gives each thread another one
        except IndexError:
            return self._found_by(self._connect(), filter_text)
        try:
            return self._found_by(kept, filter_text)
        except Exception:  # noqa: BLE001 - the directory may have closed it: asked anew, it says what is wrong
            return self._found_by(self._connect(), filter_text)

    def _found_by(self, connection: Bound, filter_text: str) -> Sequence[Sequence[bytes]]:
        try:
            entries = connection.search(filter_text, ENTRIES_MAX + 1)
        except BaseException:
            connection.close()
            raise
        self._kept.append(connection)
        return entries


def read_search(path: Path) -> Search | Wrong:
    """Read the file; the directory is not asked before there is a key."""
    description = read_description(path)
    if isinstance(description, Wrong):
        return description
    why = _fault(description.said)
    if why:
        return Wrong.whole(why)
    search = Search(**description.said)
    return IS_OPEN if search.password and description.is_open else search


def _fault(found: Mapping[str, object]) -> str:
    """Return what is wrong with what a file says; '' when nothing is."""
    if not _NEEDED <= set(found) <= _NEEDED | _POSSIBLE or not all(isinstance(value, str) for value in found.values()):
        return f"needs {', '.join(sorted(_NEEDED))}, may have {', '.join(sorted(_POSSIBLE))}, all texts"
    if urlsplit(str(found["url"])).scheme not in _SCHEMES:
        return f"url begins with none of {', '.join(f'{scheme}://' for scheme in _SCHEMES)}"
    if not _PART.search(str(found["filter"])):
        return "filter asks for no :key, :local_part or :domain"
    return "" if ("bind_dn" in found) is ("password" in found) else "bind_dn and password go together"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda found: f"\\{ord(found[0]):02x}", text)

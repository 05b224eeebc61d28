"""A message as tests see it (RFC 5228 §5): its fields by name, split once, each decoded once when asked for."""

from __future__ import annotations

import re

from mtad.sieve.addresses import addresses_in
from mtad.sieve.encoded_word import decoded

HEADER_OCTETS_MAX = 1 << 20  # fields behind it are not seen

_END = re.compile(rb"(?:\A|\r?\n)\r?\n")
_FIELD_END = re.compile(r"\r?\n(?![ \t])")
_FOLD = re.compile(r"\r?\n(?=[ \t])")


class Message:
    """Reads the header section of a content lazily."""

    __slots__ = ("_addresses", "_content", "_decoded", "_fields")

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._fields: dict[str, list[str]] | None = None
        self._decoded: dict[str, list[str]] = {}
        self._addresses: dict[str, list[str]] = {}

    @property
    def size_octets(self) -> int:
        """The size of the whole message."""
        return len(self._content)

    def has(self, name: str) -> bool:
        """Tell whether a field of this name (folded) is there."""
        return name in self._split()

    def values(self, name: str) -> list[str]:
        """Return the values of all fields of this name (folded): unfolded, decoded, without outer white space."""
        found = self._decoded.get(name)
        if found is None:
            found = [decoded(value).strip() for value in self._split().get(name, ())]
            self._decoded[name] = found
        return found

    def addresses(self, name: str) -> list[str]:
        """Return the addresses in all fields of this name (folded)."""
        found = self._addresses.get(name)
        if found is None:
            found = [address for value in self._split().get(name, ()) for address in addresses_in(value)]
            self._addresses[name] = found
        return found

    def _split(self) -> dict[str, list[str]]:
        if self._fields is not None:
            return self._fields
        start = self._content[:HEADER_OCTETS_MAX]
        end = _END.search(start)
        header = start[: end.start()] if end is not None else start
        fields: dict[str, list[str]] = {}
        for field in _FIELD_END.split(header.decode("utf-8", "surrogateescape")):
            name, colon, value = field.partition(":")
            if colon:
                fields.setdefault(name.rstrip(" \t").lower(), []).append(_FOLD.sub("", value))
        self._fields = fields
        return fields

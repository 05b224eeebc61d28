"""A reply of SMTP, ours or a next hop's (RFC 5321 §4.2, RFC 3463)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ENHANCED = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?: |$)")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")

TEXT_OCTETS_MAX = 400  # RFC 5321 §4.5.3.1.5 allows 512 for the whole line


def _cut(line: str) -> str:
    if line.isascii():
        return line[:TEXT_OCTETS_MAX]
    return line.encode("utf-8", "replace")[:TEXT_OCTETS_MAX].decode("utf-8", "ignore")


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply code, an enhanced status code ('' where none belongs) and the text, one entry a line."""

    code: int
    enhanced: str
    lines: tuple[str, ...]

    @classmethod
    def of(cls, code: int, enhanced: str, *lines: str) -> Reply:
        """Make a reply; characters that may not stand in a reply line become '?'."""
        return cls(code, enhanced, tuple(_cut(_UNPRINTABLE.sub("?", line)) for line in lines) or ("",))

    @classmethod
    def parse(cls, code: int, lines: tuple[str, ...]) -> Reply:
        """Make a reply of what a next hop sent, splitting off the enhanced status code where it is one."""
        found = _ENHANCED.match(lines[0]) if lines else None
        if found is None or int(found[1]) != code // 100:
            return cls.of(code, "", *lines)
        enhanced = f"{found[1]}.{found[2]}.{found[3]}"
        return cls.of(code, enhanced, *(line.removeprefix(enhanced).lstrip() for line in lines))

    @property
    def is_positive(self) -> bool:
        return 200 <= self.code < 400

    @property
    def is_transient(self) -> bool:
        return 400 <= self.code < 500

    @property
    def is_permanent(self) -> bool:
        return 500 <= self.code < 600

    @property
    def text(self) -> str:
        """The whole text on one line, with the enhanced status code before it."""
        return " ".join(part for part in (self.enhanced, *self.lines) if part)

    def __str__(self) -> str:
        return f"{self.code} {self.text}"

    def octets(self) -> bytes:
        """Return the reply as it stands on the wire, each line ended by CRLF."""
        last = len(self.lines) - 1
        prefix = f"{self.enhanced} " if self.enhanced else ""
        return "".join(
            f"{self.code}{' ' if i == last else '-'}{prefix}{line}\r\n" for i, line in enumerate(self.lines)
        ).encode("utf-8", "replace")


LOCAL_FAULT_CODE = 451


def local_fault(trace: str) -> Reply:
    """Return the one reply to a fault of our own: transient, with a reference into our log and nothing else."""
    return Reply.of(LOCAL_FAULT_CODE, "4.3.0", f"Local error, ref {trace}")

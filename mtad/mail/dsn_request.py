"""What a sender asks to be told of its message: the parameters of DSN (RFC 3461 §4, RFC 6533 §3), and their encodings.

Requests hold what was meant, not how it was written: xtext is read when a command comes in and written when one goes
out. What cannot be read is no request, and what can holds no control character.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntFlag, StrEnum
from functools import reduce
from operator import or_

from mtad.mail.deliver_by import DeliverBy

ENVID_OCTETS_MAX = 100  # RFC 3461 §4.4, as written
ORIGINAL_OCTETS_MAX = 500  # RFC 3461 §4.2, as written

_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-Fa-f]{2})+")  # small letters are wrong, and plain
_XTEXT_CODE = re.compile(r"\+([0-9A-Fa-f]{2})")
_NOT_XTEXT = re.compile(r"[^!-*,-<>-~]")
_UNITEXT = re.compile(r"(?:[!-*,-<>-\[\]-~\u0080-\U0010ffff]|\\x\{[0-9A-Fa-f]{2,6}\})+")
_UNITEXT_CODE = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
_NOT_UTF8_XTEXT = re.compile(r"[^!-*,-<>-\[\]-~]")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_ADDRESS_TYPE = re.compile(r"[A-Za-z0-9!#$%&'*/?^_`{|}~-]+")


class Return(StrEnum):
    """How much of the message a DSN on its failure returns (RET)."""

    UNSAID = ""
    FULL = "FULL"
    HEADERS = "HDRS"


class Notify(IntFlag):
    """Of what the sender wants to be told (NOTIFY). The numbers are stored."""

    UNSAID = 0
    NEVER = 1
    SUCCESS = 2
    FAILURE = 4
    DELAY = 8


_BITS = {one.name: one.value for one in Notify}


@dataclass(frozen=True, slots=True)
class MessageRequest:
    """What MAIL said. `envid` names the message to its sender; '' is none. by: when it is to be delivered."""

    ret: Return = Return.UNSAID
    envid: str = ""
    by: DeliverBy | None = None


@dataclass(frozen=True, slots=True)
class RecipientRequest:
    """What RCPT said. `original` is ORCPT as 'rfc822;bob@example.net'; '' where it was not given.

    by   when it is to be delivered to this one, as policy has it; None: as MAIL said
    """

    notify: Notify = Notify.UNSAID
    original: str = ""
    by: DeliverBy | None = None

    def of_alias(self, address: str) -> RecipientRequest:
        """Return what goes on to who gets the mail for this address: reports name it (RFC 3461 §5.2.7.1)."""
        if self.original:
            return self
        return replace(self, original=f"{'rfc822' if address.isascii() else 'utf-8'};{address}")

    def beside(self, other: RecipientRequest) -> RecipientRequest:
        """Return what is asked of one recipient by two names: what either asks; reports name the first original.

        A time of its own counts where it has it by both: by one of them it may come as late as the message may.
        """
        asked = {self.notify, other.notify} - {Notify.NEVER}
        notify = Notify.NEVER if not asked else asked.pop() if len(asked) == 1 else _meant(*asked)
        return RecipientRequest(notify, self.original or other.original, self.by if self.by == other.by else None)

    def time_in(self, message: MessageRequest) -> DeliverBy | None:
        """Return by when it is to be delivered to this recipient of a message; None where nobody has said."""
        return self.by or message.by

    @property
    def hears_of_relays(self) -> bool:
        """Tell whether the sender hears that mail went on which is to be delivered by a time (RFC 2852 §4.1.4)."""
        return self.notify is not Notify.NEVER

    def wants(self, event: Notify) -> bool:
        """Tell whether the sender wants to hear of it."""
        return bool(_meant(self.notify) & event)


def _meant(*notifies: Notify) -> Notify:
    """Return all that is asked; who says nothing wants to hear of all but success (RFC 3461 §5.2)."""
    return reduce(or_, (one or Notify.FAILURE | Notify.DELAY for one in notifies))


NO_MESSAGE_REQUEST = MessageRequest()
NO_REQUEST = RecipientRequest()
Requests = Mapping[str, RecipientRequest]
"""By recipient; who is not in it was given without parameters."""


def read_notify(value: str) -> Notify | None:
    """Return what NOTIFY asks; None for what is no such list. NEVER stands alone (RFC 3461 §4.1)."""
    bits = 0  # plain numbers: flags take ten times as long, and this stands in the way of every such command
    for word in value.upper().split(","):
        bit = _BITS.get(word)
        if bit is None:
            return None
        bits |= bit
    return None if bits & Notify.NEVER.value and bits != Notify.NEVER.value else Notify(bits)


def notify_text(notify: Notify) -> str:
    """Return the value of NOTIFY; '' where nothing was asked."""
    return ",".join(one.name for one in Notify if one in notify and one.name is not None)


def read_envid(value: str) -> str | None:
    """Return the identifier that ENVID gives; None for what is none."""
    envid = _read_xtext(value) if len(value) <= ENVID_OCTETS_MAX else None
    return envid if envid is not None and envid.isascii() else None


def read_original(value: str) -> str | None:
    """Return what ORCPT says, its address decoded; None for what is no such value.

    Postfix says rfc822 of an address in UTF-8 and writes its octets as xtext: its type is utf-8 (RFC 6533 §3).
    """
    address_type, _, encoded = value.partition(";")
    if len(value.encode("utf-8", "replace")) > ORIGINAL_OCTETS_MAX or not _ADDRESS_TYPE.fullmatch(address_type):
        return None
    address = _read_unitext(encoded) if address_type.lower() == "utf-8" else _read_xtext(encoded)
    if address is None or address.isascii() or address_type.lower() == "utf-8":
        return None if address is None else f"{address_type};{address}"
    return f"utf-8;{address}" if address_type.lower() == "rfc822" else None


def original_text(original: str) -> str:
    """Return the value of ORCPT, in ASCII, which every next hop takes."""
    address_type, _, address = original.partition(";")
    encoded = utf8_xtext(address) if address_type.lower() == "utf-8" else xtext(address)
    return f"{address_type};{encoded}"


def xtext(text: str) -> str:
    """Return ASCII text as xtext (RFC 3461 §4)."""
    return _NOT_XTEXT.sub(lambda found: f"+{ord(found[0]):02X}", text)


def utf8_xtext(address: str) -> str:
    """Return an address as utf-8-addr-xtext (RFC 6533 §3)."""
    return _NOT_UTF8_XTEXT.sub(lambda found: f"\\x{{{ord(found[0]):02X}}}", address)


def _read_xtext(text: str) -> str | None:
    if not _XTEXT.fullmatch(text):
        return None
    octets = _XTEXT_CODE.sub(lambda found: chr(int(found[1], 16)), text).encode("latin-1")
    try:
        decoded = octets.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if _UNPRINTABLE.search(decoded) else decoded


def _read_unitext(text: str) -> str | None:
    """Return what utf-8-addr-xtext, utf-8-addr-unitext or plain UTF-8 stands for (RFC 6533 §3)."""
    if not _UNITEXT.fullmatch(text) or any(int(code, 16) > 0x10FFFF for code in _UNITEXT_CODE.findall(text)):
        return None
    decoded = _UNITEXT_CODE.sub(lambda found: chr(int(found[1], 16)), text)
    return None if _UNPRINTABLE.search(decoded) else decoded

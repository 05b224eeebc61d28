"""Random messages, some of them well-formed."""

from __future__ import annotations

import base64
import quopri
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

ADDRESSES = [
    "rr@acme.example", "RR+List@ACME.example", "a+b+c@x.example", "d+@y.example", '"q q"@acme.example',
    '"rr"@acme.example', "x@sub.acme.example", "coyote@desert.example", "Coyote+acme+x@Desert.Example",
]  # fmt: skip
WORDS = [
    "one", "TWO", "three four", "0", "7", "07", "12", "7 up", "a*b?c", "c\\d", "Grüße", "ÉTÉ", "x" * 70, "re: one",
    "Re: TWO", "[list] one", "a.b.c", "rr", "acme", "$money", "1.5", "-3", "one one one",
]  # fmt: skip
ASCII_WORDS = [word for word in WORDS if word.isascii()]
NAMES = ["Subject", "X-A", "X-B", "x-a", "List-Id", "Keywords"]
DATES = [
    "Mon, 01 Jan 2024 00:00:00 +0000", "Thu, 29 Feb 2024 23:59:59 -0800", "Sat, 31 Dec 2022 12:34:56 +0530",
    "1 Apr 1999 01:02:03 +0100", "Sun, 22 Nov 2026 23:42:00 GMT", "Fri, 3 Jul 2020 8:09 EST", "no date",
]  # fmt: skip
FOLD = "\r\n "
DOMAINS = ["acme.example", "desert.example", "x.example", "sub.acme.example"]


@dataclass(frozen=True, slots=True)
class Mail:
    """A message and its envelope."""

    content: bytes
    sender: str
    recipient: str


def draw_mail(dice: random.Random) -> Mail:
    """Return a message with its envelope."""
    fields = [_address_field(dice, name) for name in ("From", "To", "Cc", "Sender", "Reply-To") if dice.random() < 0.6]
    fields += [_text_field(dice, dice.choice(NAMES)) for _ in range(dice.randint(0, 5))]
    if dice.random() < 0.7:
        fields.append(f"Date: {dice.choice(DATES)}")
    if dice.random() < 0.3:
        fields.append(f"Received: from a.example by b.example; {dice.choice(DATES[:5])}")
    dice.shuffle(fields)
    head, body = _body(dice, 0)
    lines = [*fields, *(["MIME-Version: 1.0"] if head else []), *head]
    content = "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body
    if dice.random() < 0.25:
        content = dice.choice(_SPOILINGS)(content)
    envelope = [address for address in ADDRESSES if '"q' not in address]
    return Mail(content, dice.choice(envelope), dice.choice(envelope))


def _text_field(dice: random.Random, name: str) -> str:
    least = 1 if name.lower() == "x-a" else 0  # an empty number: see differences.py
    known = ASCII_WORDS if name == "List-Id" else WORDS
    words = [dice.choice(known) for _ in range(dice.randint(least, 3))]
    return f"{name}:{dice.choice([' ', '', '  '])}{_written(dice, words)}{dice.choice(['', '', ' '])}"


def _written(dice: random.Random, words: Sequence[str]) -> str:
    found = ""
    for word in words:
        how = dice.random()
        if how < 0.2 and " " not in word:
            text = quopri.encodestring(word.encode(), header=True).decode().replace("?", "=3F").replace("=\n", "")
            word = f"=?utf-8?q?{text}?="
        elif how < 0.3:
            word = f"=?UTF-8?B?{base64.b64encode(word.encode()).decode()}?="
        elif not word.isascii():
            word = f"=?utf-8?b?{base64.b64encode(word.encode()).decode()}?="
        found += (dice.choice([" ", FOLD, " \r\n  "]) if found else "") + word
    return found


def _address_field(dice: random.Random, name: str) -> str:
    forms: list[Callable[[str], str]] = [
        lambda a: a,
        lambda a: f"<{a}>",
        lambda a: f"Road Runner <{a}>",
        lambda a: f'"Runner, Road" <{a}>',
        lambda a: f"{a} (Mr. Runner)",
        lambda a: f"=?utf-8?q?Gr=C3=BC=C3=9Fe?= <{a}>",
        lambda a: f"Friends: {a}, rr@acme.example;",
    ]
    several = [dice.choice(forms)(dice.choice(ADDRESSES)) for _ in range(dice.choice([1, 1, 1, 2, 3]))]
    return (
        f"{name}: {dice.choice([', ', ',', ',' + chr(13) + chr(10) + ' '])}".rstrip(", \r\n") + " " + ", ".join(several)
    )


def _body(dice: random.Random, depth: int) -> tuple[list[str], bytes]:
    """Return the fields that describe a body, and the body."""
    kind = dice.choice(["none", "plain", "plain", "base64", "printable", "html", "mixed", "mixed"])
    text = "".join(f"{dice.choice(WORDS)} {dice.choice(WORDS)}\r\n" for _ in range(dice.randint(0, 4)))
    octets = text.encode()
    if kind == "none" and depth == 0:
        ascii_text = text.encode("ascii", "replace")
        return [], ascii_text
    if kind == "base64":
        lines = base64.encodebytes(octets).replace(b"\n", b"\r\n")
        return ["Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: base64"], lines
    if kind == "printable":
        coded = quopri.encodestring(octets.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
        return ["Content-Type: text/plain; charset=UTF-8", "Content-Transfer-Encoding: quoted-printable"], coded
    if kind == "html":
        page = b"<html><body><p>" + octets + b"</p></body></html>\r\n"
        return ["Content-Type: text/html; charset=utf-8", "Content-Transfer-Encoding: 8bit"], page
    if kind == "mixed" and depth < 2:
        return _multipart(dice, depth)
    return ["Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit"], octets


def _multipart(dice: random.Random, depth: int) -> tuple[list[str], bytes]:
    boundary = f"b{depth}{dice.randint(0, 999)}"
    found = b""
    for _ in range(dice.randint(1, 3)):
        head, body = _body(dice, depth + 1)
        if dice.random() < 0.3:
            head = [*head, f'Content-Disposition: attachment; filename="{dice.choice(["a.txt", "b.exe", "Ünicode"])}"']
        if dice.random() < 0.2:
            head = [*head, f"X-Part: {dice.choice(WORDS[:5])}"]
        found += (
            f"--{boundary}\r\n".encode() + "".join(f"{line}\r\n" for line in head).encode() + b"\r\n" + body + b"\r\n"
        )
    kind = dice.choice(["mixed", "alternative"])
    return [f'Content-Type: multipart/{kind}; boundary="{boundary}"'], found + f"--{boundary}--\r\n".encode()


def _without_body(content: bytes) -> bytes:
    return content.partition(b"\r\n\r\n")[0] + b"\r\n"


_SPOILINGS: Sequence[Callable[[bytes], bytes]] = (
    lambda content: content if b"quoted-printable" in content else content.replace(b"\r\n", b"\n"),
    lambda content: "X-A: grün\r\nSubject: Grüße ÉTÉ\r\n".encode() + content,  # RFC 6532
    _without_body,
    lambda content: content.replace(b":", b" :", 1),
    lambda content: b"From sender@x.example Mon Jan 1 00:00:00 2024\r\n" + content,  # of a mailbox
    lambda content: b"X-A: " + b"a" * 2000 + b"\r\n" + content,
    lambda content: b"X-A: one\rX-B: two\r\n" + content,
    lambda content: b"X-B: =?utf-8?q?a_b?==?utf-8?q?c?= =?none\r\n" + content,
    lambda content: b": no name\r\n" + content,
)
"""What mail does that it should not, in the ways that both engines take alike."""

"""Each form takes what it says and tells why it does not take the rest."""

from __future__ import annotations

import pytest

from mtad.config import forms
from mtad.config.forms import Address, Form, Listener, Purpose, Unfit, socketmap_place


@pytest.mark.parametrize(
    ("form", "text", "value"),
    [
        (forms.NAME, "a", "a"),
        (forms.NAME, "alpha-1", "alpha-1"),
        (forms.DOMAIN, "Example.ORG.", "example.org"),
        (forms.DOMAIN, "localhost", "localhost"),
        (forms.DOMAIN, "xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
        (forms.HOSTNAME, "MX1.example.org", "mx1.example.org"),
        (forms.SELECTOR, "s2026", "s2026"),
        (forms.SELECTOR, "a_b.2026-01", "a_b.2026-01"),
        (forms.LISTENER, "127.0.0.1:25", Address("127.0.0.1", 25)),
        (forms.LISTENER, "[::1]:0", Address("::1", 0)),
        (forms.LISTENER, "0.0.0.0:65535", Address("0.0.0.0", 65535)),
        (forms.SMTP_LISTENER, "0.0.0.0:25", Listener(Address("0.0.0.0", 25))),
        (forms.SMTP_LISTENER, "smtp://0.0.0.0:25", Listener(Address("0.0.0.0", 25))),
        (forms.SMTP_LISTENER, "submission://[::]:587", Listener(Address("::", 587), Purpose.SUBMISSION)),
        (forms.SMTP_LISTENER, "submissions://[::]:465", Listener(Address("::", 465), Purpose.SUBMISSIONS)),
        (forms.SMTP_LISTENER, "lmtp://127.0.0.1:24", Listener(Address("127.0.0.1", 24), Purpose.LMTP)),
        (forms.SMTP_LISTENER, "lmtp:///run/mtad/lmtp", Listener(Address("/run/mtad/lmtp", 0), Purpose.LMTP)),
        (forms.ENDPOINT, "mx2.example.org:7250", Address("mx2.example.org", 7250)),
        (forms.ENDPOINT, "[2001:db8::1]:7250", Address("2001:db8::1", 7250)),
        (forms.RESOLVER, "127.0.0.1", Address("127.0.0.1", 53)),
        (forms.RESOLVER, "::1", Address("::1", 53)),
        (forms.RESOLVER, "[::1]", Address("::1", 53)),
        (forms.RESOLVER, "[::1]:5353", Address("::1", 5353)),
        (forms.RESOLVER, "192.0.2.1:5353", Address("192.0.2.1", 5353)),
    ],
)
def test_takes(form: Form, text: str, value: object) -> None:
    assert form.read(text) == value


@pytest.mark.parametrize(
    ("form", "text", "why"),
    [
        (forms.NAME, "", "is no name"),
        (forms.NAME, "Alpha", "is no name"),
        (forms.NAME, "-a", "is no name"),
        (forms.NAME, "a.b", "is no name"),
        (forms.NAME, "a\n", "is no name"),
        (forms.NAME, "a" * 64, "is no name"),
        (forms.DOMAIN, "", "is no domain name"),
        (forms.DOMAIN, "a..b", "is no domain name"),
        (forms.DOMAIN, "a_b.example", "is no domain name"),
        (forms.DOMAIN, ".".join(["a" * 60] * 5), "is no domain name"),
        (forms.DOMAIN, "münchen.example", "is not ASCII"),
        (forms.DOMAIN, "192.0.2.1", "is an IP address"),
        (forms.HOSTNAME, "mx1", "has no domain behind"),
        (forms.HOSTNAME, "a..b", "is no domain name"),
        (forms.SELECTOR, "a b", "is no selector"),
        (forms.SELECTOR, "a.", "is no selector"),
        (forms.SMTP_LISTENER, "qmtp://[::]:24", "has 'qmtp' where smtp, submission, submissions or lmtp may stand"),
        (forms.SMTP_LISTENER, "://[::]:24", "has '' where smtp, submission, submissions or lmtp may stand"),
        (forms.SMTP_LISTENER, "submission://mx:587", "does not begin with an IP address"),
        (forms.SMTP_LISTENER, "smtp:///run/mtad/smtp", "has no port"),
        (forms.SMTP_LISTENER, "/run/mtad/lmtp", "has no port"),
        (forms.SMTP_LISTENER, "lmtp://run/lmtp", "has no port"),
        (forms.SMTP_LISTENER, "lmtp:///" + 107 * "a", "is longer than 107 octets"),
        (forms.LISTENER, "mx1:25", "does not begin with an IP address"),
        (forms.LISTENER, "127.0.0.1", "has no port"),
        (forms.LISTENER, "127.0.0.1:", "has no port"),
        (forms.LISTENER, "127.0.0.1:smtp", "has 'smtp' where a port number belongs"),
        (forms.LISTENER, "127.0.0.1:65536", "has '65536' where a port number belongs"),
        (forms.LISTENER, "127.0.0.1:" + "9" * 5000, "where a port number belongs"),
        (forms.LISTENER, "127.0.0.1:²", "where a port number belongs"),
        (forms.LISTENER, "::1:25", "without brackets"),
        (forms.LISTENER, "[127.0.0.1]:25", "no IPv6 address between the brackets"),
        (forms.LISTENER, "[::1]", "has no port"),
        (forms.LISTENER, "[::1]:x", "where a port number belongs"),
        (forms.ENDPOINT, ":7250", "does not begin with an IP address or a host name"),
        (forms.ENDPOINT, "a b:7250", "does not begin with an IP address or a host name"),
        (forms.ENDPOINT, "mx2.example.org", "has no port"),
        (forms.ENDPOINT, "mx2.example.org:0", "has port 0"),
        (forms.RESOLVER, "resolver.example", "does not begin with an IP address"),
        (forms.RESOLVER, "127.0.0.1:0", "has port 0"),
        (forms.RESOLVER, "[::1", "without brackets"),
    ],
)
def test_refuses(form: Form, text: str, why: str) -> None:
    taken = form.read(text)
    assert isinstance(taken, Unfit)
    assert why in taken.why


@pytest.mark.parametrize("address", [Address("::1", 25), Address("mx.example.org", 7250)])
def test_an_address_is_written_as_it_is_read(address: Address) -> None:
    assert forms.ENDPOINT.read(str(address)) == address


@pytest.mark.parametrize(
    "text", ["127.0.0.1:25", "submission://127.0.0.1:587", "submissions://[::1]:465", "lmtp:///run/x"]
)
def test_a_listener_is_written_as_it_is_read(text: str) -> None:
    assert str(forms.SMTP_LISTENER.read(text)) == text


@pytest.mark.parametrize(
    ("where", "place"),
    [
        ("inet:127.0.0.1:99:users", (Address("127.0.0.1", 99), "users")),
        ("inet:[::1]:99:a:b", Unfit("has '99:a' where a port number belongs")),
        ("unix:/run/maps:users", (Address("/run/maps", 0), "users")),
        ("unix:/run/maps", Unfit("is not inet:HOST:PORT:NAME or unix:/PATH:NAME")),
        ("unix:/" + "x" * 107 + ":n", Unfit("is longer than 107 octets")),
    ],
)
def test_the_place_of_a_socketmap(where: str, place: object) -> None:
    assert socketmap_place(where) == place

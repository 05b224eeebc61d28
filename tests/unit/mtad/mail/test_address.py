"""Paths as clients write them."""

import pytest

from mtad.mail.address import BadPath, Mailbox, mailbox_key, parse_mailbox, parse_path


@pytest.mark.parametrize(
    ("text", "local_part", "domain"),
    [
        ("user@example.org", "user", "example.org"),
        ("User.Name+tag@Example.ORG", "User.Name+tag", "Example.ORG"),
        ('"a b"@example.org', '"a b"', "example.org"),
        (r'"a\"b@c"@example.org', r'"a\"b@c"', "example.org"),
        ("u%d@example.org", "u%d", "example.org"),
        ("user@[192.0.2.1]", "user", "[192.0.2.1]"),
        ("user@[IPv6:2001:db8::1]", "user", "[IPv6:2001:db8::1]"),
        ("postmaster", "postmaster", ""),
        ("PostMaster", "PostMaster", ""),
        ("jörg@exämple.org", "jörg", "exämple.org"),
        ("@relay.example,@other.example:user@example.org", "user", "example.org"),
    ],
)
def test_a_path_is_taken_apart(text, local_part, domain):
    assert parse_path(text) == Mailbox(local_part, domain)


@pytest.mark.parametrize(
    "text",
    [
        "user",
        "user@",
        "@example.org",
        "user@example.org.",
        "user@-x.org",
        "a..b@c",
        "a@b@c",
        "a b@c",
        "a@b c",
        "a@b\r\n",
        "a@b\n",
        "a@[192.0.2.1]\n",
        "postmaster\n",
        "user@x-.org",
    ],
)
def test_what_is_no_path_says_why(text):
    assert isinstance(parse_path(text), BadPath)


def test_the_null_reverse_path_is_none():
    assert parse_path("") is None


def test_a_path_has_a_limit():
    assert isinstance(parse_mailbox("a" * 2000 + "@example.org"), BadPath)


def test_many_at_signs_or_quotes_cost_no_time():
    for hostile in ('"' + "\\" * 1000 + "@", "@" * 1000, "a." * 500, '"' * 1000):
        assert isinstance(parse_mailbox(hostile), BadPath)


@pytest.mark.parametrize(
    "spellings",
    [
        ("u@d.example", "u@D.Example", '"u"@d.example', '"\\u"@d.example'),
        ('"a b"@d.example', '"a\\ b"@D.example'),
        ('"a@b"@d.example', '"a\\@b"@d.example'),
        ("u@b\u00fccher.example", "u@B\u00dcCHER.example", "u@xn--bcher-kva.example", "u@XN--bcher-kva.example"),
        ("u@[IPv6:2001:db8::a]", "u@[ipv6:2001:DB8::A]"),
    ],
)
def test_spellings_of_one_mailbox_have_the_same_key(spellings: tuple[str, ...]) -> None:
    assert len({mailbox_key(spelling) for spelling in spellings}) == 1


def test_what_are_two_mailboxes_have_two_keys() -> None:
    several = (
        "u@d.example",
        "U@d.example",
        '"u "@d.example',
        "u@sub.d.example",
        '"u@d.example"@d.example',
        "v@d.example",
    )
    assert len({mailbox_key(address) for address in several}) == len(several)

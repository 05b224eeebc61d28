"""The field that tells who sent a message."""

from __future__ import annotations

import time

import pytest

from mtad.mail.authenticity import Finding, Found, Method, NoMethods, Subject, Untried, field_value, server_id_of


@pytest.mark.parametrize(
    ("identity", "found", "value"),
    [
        ("", [], "mx; none"),
        ("ann@d.example", [], "mx; auth=pass smtp.auth=ann@d.example"),
        ("", [(Method.ARC, Finding("pass", "ignored"))], "mx; arc=pass"),
        (
            "",
            [(Method.SPF, Finding("fail", "d.example")), (Method.DKIM, Finding("pass", "d.example", "s1"))],
            "mx; spf=fail smtp.mailfrom=d.example; dkim=pass header.d=d.example header.s=s1",
        ),
        (
            "",
            [(Method.DMARC, Finding("fail", "d.example", policy="reject"))],
            "mx; dmarc=fail header.from=d.example policy.published=reject",
        ),
        ("", [(Method.SPF, Finding("pass", 'd"; dkim=pass'))], 'mx; spf=pass smtp.mailfrom="d\\"; dkim=pass"'),
        ("a\\b", [], 'mx; auth=pass smtp.auth="a\\\\b"'),
    ],
)
def test_what_it_says(identity: str, found: list[Found], value: str) -> None:
    assert field_value("mx", identity, found) == value


@pytest.mark.parametrize(
    ("value", "server_id"),
    [
        ("MX.d.example; none", "mx.d.example"),
        (" (a) (b) mx.d.example 1; spf=pass", "mx.d.example"),
        ('"mx.d.example"; none', "mx.d.example"),
        ("mx.d.example(comment); none", "mx.d.example"),
        (r'"m\x.d\.example"; none', "mx.d.example"),
        ('" mx.d.example" 1; none', "mx.d.example"),
        (r"(a\)b) mx.d.example; none", "mx.d.example"),
        (r"(a\(b) mx.d.example; none", "mx.d.example"),
        ("B\u00fccher.example; none", "xn--bcher-kva.example"),
        ("XN--Bcher-KVA.example; none", "xn--bcher-kva.example"),
        ('mx."d".example; none', ""),
        (r"mx\.d.example; none", ""),
        ('"mx.d.example; none', ""),
        ('"mx.d".example; none', ""),
        ("(a mx.d.example; none", ""),
        ('""; none', ""),
        ("; none", ""),
        ("", ""),
    ],
)
def test_who_claims_to_have_written_it(value: str, server_id: str) -> None:
    assert server_id_of(value) == server_id


@pytest.mark.parametrize(
    "value", ["(" * 100_000, r"(\\" * 50_000, '"' + "\\" * 100_000, "\t" * 100_000, "(a)" * 50_000]
)
def test_no_claim_takes_long_to_read(value: str) -> None:
    started = time.process_time()
    assert server_id_of(value) == ""
    assert time.process_time() - started < 1.0


async def test_where_nobody_looks_nothing_is_known() -> None:
    found = await NoMethods().findings(Method.ARC, Subject("192.0.2.1", "h", ""))
    assert found == Untried("arc is not available")

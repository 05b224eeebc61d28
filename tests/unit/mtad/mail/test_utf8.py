"""What needs SMTPUTF8, and what has an ASCII form."""

import time

import pytest

from mtad.mail.utf8 import PARTS_MAX, ascii_address, ascii_domain, has_utf8_fields


@pytest.mark.parametrize(
    ("domain", "written"),
    [
        ("Example.NET", "Example.NET"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.Example", "xn--bcher-kva.Example"),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),
        ("faß.example", "xn--fa-hia.example"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("\u212aernel.example", None),  # a Kelvin sign is no letter of a host name
        ("ü" * 80 + ".example", None),
        ("ü..example", None),
    ],
)
def test_a_domain_has_an_ascii_form(domain, written):
    assert ascii_domain(domain) == written


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("u@example.net", "u@example.net"),
        ("u@bücher.example", "u@xn--bcher-kva.example"),
        ('"a@b"@bücher.example', '"a@b"@xn--bcher-kva.example'),
        ("ü@example.net", None),
        ("u@\u212aernel.example", None),
        ("", ""),
    ],
)
def test_an_address_has_one_where_its_local_part_does(address, written):
    assert ascii_address(address) == written


MULTIPART = b'Subject: x\r\nContent-Type: multipart/mixed;\r\n\tboundary="=_b 1"\r\n\r\n'
INNER = b"--=_b 1\r\nContent-Type: multipart/alternative; boundary=in\r\n\r\n"


@pytest.mark.parametrize(
    ("content", "needs"),
    [
        ("Subject: hello\r\n\r\nGrüße\r\n", False),
        ("Subject: Grüße\r\n\r\nhello\r\n", True),
        ("\r\nGrüße\r\n", False),
        ("Subject: Grüße\r\n", True),
        ("Subject: hello\r\n\r\n--\r\nX: ü\r\n\r\n", False),
        (MULTIPART.decode() + "--=_b 1\r\n\r\nGrüße\r\n\r\n--=_b 1--\r\n", False),
        (
            MULTIPART.decode() + "preamble ü\r\n--=_b 1\r\nContent-Disposition: x; filename=ü\r\n\r\n\r\n--=_b 1--\r\n",
            True,
        ),
        (MULTIPART.decode() + "--other\r\nX: ü\r\n\r\n--=_b 1--\r\n", False),
        (MULTIPART.decode() + INNER.decode() + "--in \r\nX: ü\r\n\r\nx\r\n--in--\r\n--=_b 1--\r\n", True),
        (MULTIPART.decode() + INNER.decode() + "--in\r\n\r\nü\r\n--in--\r\n--=_b 1--\r\n", False),
        (MULTIPART.decode() + "--=_b 1\r\n\r\nü\r\n--=_b 1", False),
    ],
)
def test_only_fields_need_it(content, needs):
    assert has_utf8_fields(content.encode()) is needs


def test_a_message_of_many_parts_takes_little_time():
    content = MULTIPART + b"--=_b 1\r\nX: y\r\n\r\n\xc3\xbc\r\n" * 3 * PARTS_MAX
    started = time.process_time()
    assert has_utf8_fields(content)
    assert time.process_time() - started < 1

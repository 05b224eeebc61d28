from __future__ import annotations

from pathlib import Path

import pytest

from mtad.maps.description import FILE_OCTETS_MAX, Description, parts_of, read_description
from mtad.maps.lines import Wrong


@pytest.mark.parametrize(
    ("mode", "is_open"), [(0o600, False), (0o640, False), (0o660, True), (0o604, True), (0o602, True)]
)
def test_who_may_read_it(tmp_path: Path, mode: int, is_open: bool) -> None:
    path = tmp_path / "users.toml"
    path.write_text('url = "x"\n')
    path.chmod(mode)
    assert read_description(path) == Description({"url": "x"}, is_open)


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"\xff = 1", "is not TOML: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        (b"a = 1\n" + b"#" * FILE_OCTETS_MAX, f"is larger than {FILE_OCTETS_MAX} octets"),
    ],
)
def test_what_is_no_description(tmp_path: Path, octets: bytes, why: str) -> None:
    path = tmp_path / "users.toml"
    path.write_bytes(octets)
    assert read_description(path) == Wrong.whole(why)


@pytest.mark.parametrize(
    ("key", "local_part", "domain"),
    [("ann@l.example", "ann", "l.example"), ('"a@b"@l.example', '"a@b"', "l.example"), ("ann", "ann", "")],
)
def test_the_parts_of_a_key(key: str, local_part: str, domain: str) -> None:
    assert parts_of(key) == {"key": key, "local_part": local_part, "domain": domain}

"""Every message of the reader, and that a good file becomes the settings that it states."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from mtad.config.forms import Address, Listener, MapSource
from mtad.config.read import FILE_OCTETS_MAX, ConfigurationError, ConfigurationErrors, read, read_text
from mtad.config.settings import Delivery, DkimKey, Followed, Log, Settings, Site
from tests.fakes.configuration import FILE, MINIMAL, settings_of

PAIR = """
[replication]
group = "mail"
listen = "127.0.0.1:7250"
ca = "pki/ca.pem"
cert = "pki/alpha.pem"
key = "pki/alpha.key"
peer = { name = "beta", id = 2, address = "mx2.example.org:7250" }
"""


def errors(text: str) -> list[str]:
    found = read_text(text, FILE)
    assert isinstance(found, ConfigurationErrors)
    return [str(error) for error in found.errors]


def with_line(old: str, new: str) -> str:
    assert old in MINIMAL + PAIR
    return (MINIMAL + PAIR).replace(old, new)


def test_minimal_file_takes_every_default() -> None:
    settings = settings_of(MINIMAL)
    assert settings.node.domains == ("example.org",)
    assert settings.smtp.listen == (Listener(Address("127.0.0.1", 25)),)
    assert (settings.delivery, settings.log, settings.replication) == (Delivery(), Log(), None)
    assert settings.node.admin_socket == Path("/run/mtad/admin.sock")


def test_paths_start_at_the_files_folder() -> None:
    settings = settings_of(MINIMAL.replace("id = 1", 'id = 1\ndata_dir = "var/data"\nrun_dir = "/run/x"') + PAIR)
    assert settings.node.data_dir == Path("/etc/mtad/var/data")
    assert settings.node.run_dir == Path("/run/x")
    assert settings.replication is not None
    assert settings.replication.ca == Path("/etc/mtad/pki/ca.pem")


def test_a_pair_and_keys_are_read() -> None:
    settings = settings_of(MINIMAL + PAIR + '[[dkim.keys]]\ndomain = "example.org"\nselector = "s1"\nfile = "k.pem"\n')
    assert settings.replication is not None
    assert settings.replication.peer.address == Address("mx2.example.org", 7250)
    assert settings.dkim.keys == (DkimKey("example.org", "s1", Path("/etc/mtad/k.pem")),)


@pytest.mark.parametrize(
    ("key", "allowed"),
    [("level", '"remote-durable" or "remote-received" or "local"'), ("on_timeout", '"accept" or "reject"')],
)
def test_what_a_later_version_will_know_is_not_available_yet(key: str, allowed: str) -> None:
    text = PAIR.replace("[replication]\n", f'[replication]\n{key} = "object"\n')
    (error,) = errors(MINIMAL + text)
    assert f"replication.{key} 'object' is not available yet; allowed: {allowed}" in error


def test_a_whole_number_is_a_number() -> None:
    deadline = settings_of(MINIMAL + "[delivery]\ndeadline_seconds = 5\n").delivery.deadline_seconds
    assert (deadline, type(deadline)) == (5.0, float)


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings_of(MINIMAL).log = Log()  # type: ignore[misc]


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("id = 1\n", "id = 0\n", 3, "node.id 0 is too small; allowed: a whole number from 1 to 31"),
        ("id = 1\n", "id = 32\n", 3, "node.id 32 is too large; allowed: a whole number from 1 to 31"),
        ("id = 1\n", "id = 1.0\n", 3, "node.id is a number (1.0); allowed: a whole number from 1 to 31"),
        ("id = 1\n", "id = true\n", 3, "node.id is a boolean (true); allowed: a whole number from 1 to 31"),
        ("id = 1\n", 'id = "1"\n', 3, "node.id is a text ('1'); allowed: a whole number from 1 to 31"),
        ("id = 1\n", f"id = 0x{'f' * 5000}\n", 3, "node.id a very long number is too large; allowed: a whole number"),
        ("id = 1\n", "id = 1\nworker = 3\n", 4, "node.worker is not a setting; did you mean workers?"),
        ("id = 1\n", "id = 1\nxyz = 3\n", 4, "node.xyz is not a setting; known here: name, id, hostname, domains, "),
        ("id = 1\n", 'id = 1\n"\\u001b" = 3\n', 4, 'node."\\u001b" is not a setting'),
        ("id = 1\n", "", 1, "node.id is missing; allowed: a whole number from 1 to 31"),
        ('"alpha"', "7", 2, "node.name is a whole number (7); allowed: lower-case letters"),
        ('"alpha"', '"Alpha"', 2, "node.name 'Alpha' is no name; allowed: lower-case letters"),
        ('"alpha"', f'"{"A" * 99}"', 2, f"node.name '{'A' * 56}... is no name"),
        ('"mx1.example.org"', '"mx1"', 4, "node.hostname 'mx1' has no domain behind the host; allowed: a host name"),
        ('["example.org"]', "[]", 5, "node.domains has 0 entries; allowed: a list of 1 to 10_000, each a domain name"),
        ('["example.org"]', '"example.org"', 5, "node.domains is a text ('example.org'); allowed: a list of 1 to"),
        ('["example.org"]', '["a.b",\n"_"]', 6, "node.domains[1] '_' is no domain name; allowed: a domain name"),
        ('["example.org"]', '["a.b",\n[]]', 6, "node.domains[1] is a list ([]); allowed: a domain name"),
        ('["example.org"]', '["a.b",\n"A.b"]', 6, "node.domains[1] 'a.b' is given twice"),
        ('["127.0.0.1:25"]', '["x:25"]', 8, "smtp.listen[0] 'x:25' does not begin with an IP address; allowed: an IP"),
        ('["127.0.0.1:25"]', '["[::1]:25","[::1]:25"]', 8, "smtp.listen[1] '[::1]:25' is given twice"),
        (
            '["127.0.0.1:25"]',
            '["submission://[::1]:587"]\ntls_cert="c"\ntls_key="k"',
            8,
            "smtp.listen lets users in; smtp.users is needed for that",
        ),
        (
            '["127.0.0.1:25"]',
            '["submissions://[::1]:465"]\nusers="u"',
            8,
            "smtp.listen lets users in; smtp.tls_cert is needed for that",
        ),
        (
            '["127.0.0.1:25"]',
            '["[::1]:25","submission://[::1]:25"]\nusers="u"\ntls_cert="c"\ntls_key="k"',
            8,
            "smtp.listen[1] '[::1]:25' is given twice",
        ),
        ('["127.0.0.1:25"]', '["[::1]:25"]\ntls_key="k"', 9, "smtp.tls_key is given alone; smtp.tls_cert belongs"),
        ('["127.0.0.1:25"]', '["[::1]:25"]\ntls_cert="k"', 9, "smtp.tls_cert is given alone; smtp.tls_key belongs"),
        ('["127.0.0.1:25"]', '["[::1]:25"]\ntls_cert=""', 9, "smtp.tls_cert '' is no path; allowed: a path, absolute"),
        ('["127.0.0.1:25"]', '["[::1]:25"]\ntls_cert=1', 9, "smtp.tls_cert is a whole number (1); allowed: a path"),
        (
            '["127.0.0.1:25"]',
            '["[::1]:25"]\nmemory_octets_max = 1_000_000',
            9,
            "smtp.memory_octets_max 1000000 is too small; at least smtp.size_octets_max",
        ),
        ("[smtp]", "[smtp]\nbinarymime = 1", 8, "smtp.binarymime is a whole number (1); allowed: true or false"),
        ("[smtp]", "[delivery]\ndeadline_seconds = nan\n[smtp]", 8, "delivery.deadline_seconds nan is too large"),
        (
            "[smtp]",
            "[delivery]\ndeadline_seconds = 1979-05-27\n[smtp]",
            8,
            "delivery.deadline_seconds is a date or time (1979-05-27); allowed: a number from 0 to 600",
        ),
        ("[smtp]", '[log]\nformat = "xml"\n[smtp]', 8, "log.format 'xml' is not known; allowed: \"logfmt\" or"),
        ("[smtp]", "[log]\nformat = 1\n[smtp]", 8, "log.format is a whole number (1); allowed: \"logfmt\" or"),
        ("[smtp]", "[dkim]\nkeys = [1]\n[smtp]", 8, "dkim.keys[0] is a whole number (1); allowed: a table"),
        ("[smtp]", '[[dkim.keys]]\nselector="a"\nfile="b"\n[smtp]', 7, "dkim.keys[0].domain is missing; allowed: a"),
        ("[smtp]", "[loh]\n[smtp]", 7, "loh is not a setting; did you mean log?"),
        ('name = "beta"', 'name = "alpha"', 16, "replication.peer.name is this node's own; the two nodes differ in it"),
        ("id = 2", "id = 1", 16, "replication.peer.id is this node's own; the two nodes differ in it"),
        ("[replication]\n", "[replication]\nbeat_milliseconds = 1000\npromote_after_seconds = 3\n", 12,
         "replication.promote_after_seconds 3 is too small; at least four beats"),
        ('ca = "pki/ca.pem"\n', 'ca = "a\\u0000b"\n', 13, "replication.ca 'a\\x00b' is no path; allowed: a path"),
    ],
)  # fmt: skip
def test_one_error(old: str, new: str, line: int, message: str) -> None:
    (found,) = errors(with_line(old, new))
    assert found.startswith(f"{FILE}:{line}: {message}")


SITE = """
[[replication.sites]]
name = "far"
id = 3
address = "mx3.example.org:7250"
"""
FOLLOWING = PAIR.replace(
    'peer = { name = "beta", id = 2, address = "mx2.example.org:7250" }',
    'members = [{ name = "beta", id = 2 }, { name = "gamma", id = 3 }]',
)


def test_what_is_true_or_false() -> None:
    assert settings_of(MINIMAL).smtp.binarymime is False
    assert settings_of(with_line("[smtp]", "[smtp]\nbinarymime = true")).smtp.binarymime is True
    replication = settings_of(MINIMAL + PAIR + SITE + "compression = false").replication
    assert replication is not None
    assert replication.sites[0].compression is False


def test_a_pair_may_have_sites() -> None:
    replication = settings_of(MINIMAL + PAIR + SITE + "octets_per_second = 65536\ndelay_seconds = 3\n").replication
    assert replication is not None
    assert replication.sites == (Site("far", 3, Address("mx3.example.org", 7250), True, 65_536, 3.0),)


def test_a_site_names_the_members_that_it_follows() -> None:
    replication = settings_of(MINIMAL + FOLLOWING).replication
    assert replication is not None
    assert (replication.peer, replication.members) == (None, (Followed("beta", 2), Followed("gamma", 3)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PAIR + SITE.replace("id = 3", "id = 2"), "replication.sites[0].id is given twice; all nodes differ in it"),
        (PAIR + SITE.replace("id = 3", "id = 1"), "replication.sites[0].id is this node's own; the two nodes"),
        (PAIR + SITE + "octets_per_second = 65535", "replication.sites[0].octets_per_second 65535 is too small; 0, or"),
        (FOLLOWING + SITE.replace("id = 3", "id = 4"), "replication.members has a peer or sites beside it; a site"),
        (FOLLOWING.replace("members", "#"), "replication.peer is missing; a pair has a peer, a site has members"),
    ],
)
def test_what_others_there_may_be(text: str, message: str) -> None:
    (found,) = errors(MINIMAL + text)
    assert message in found


def test_a_key_that_two_signatures_share_is_refused() -> None:
    key = '[[dkim.keys]]\ndomain = "a.org"\nselector = "s"\nfile = "k"\n'
    (found,) = errors(MINIMAL + key + key)
    assert found == f"{FILE}:13: dkim.keys[1] 's._domainkey.a.org' is given twice"


def test_all_errors_come_at_once_in_the_order_of_lines() -> None:
    text = '[log]\nlevel = "loud"\n[smtp]\nlisten = ["x"]\nsessions_max = 0\n[node]\nid = 77\n'
    found = errors(text)
    assert [error.split(" ")[0] for error in found] == [f"{FILE}:{line}:" for line in (2, 4, 5, 6, 6, 6, 7)]
    assert [error.split(" ")[1] for error in found[3:6]] == ["node.name", "node.hostname", "node.domains"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", [f"{FILE}: node is missing; allowed: a table with name", f"{FILE}: smtp is missing; allowed: a table"]),
        ("node = 1\n", [f"{FILE}: smtp is missing", f"{FILE}:1: node is a whole number (1); allowed: a table"]),
        ("[node\n", [f"{FILE}:1: not TOML: Expected ']' at the end of a table declaration"]),
        ("a = 1\n\na = 2\n", [f"{FILE}:3: not TOML: Cannot overwrite a value"]),
        ("a = 1\nb = [\n1,", [f"{FILE}:3: not TOML: Invalid value"]),
        ("a = '", [f"{FILE}:1: not TOML: "]),
        ("a = " + "[" * 5000, [f"{FILE}: is nested too deeply"]),
        ("a = " + "1" * 5000, [f"{FILE}: has a number with too many digits"]),
    ],
)
def test_a_text_as_a_whole(text: str, found: list[str]) -> None:
    for error, start in zip(errors(text), found, strict=True):
        assert error.startswith(start)


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mtad.toml"
    path.write_bytes((MINIMAL + PAIR).replace("\n", "\r\n").encode())
    settings = read(path)
    assert isinstance(settings, Settings)
    assert settings.replication is not None
    assert settings.replication.key == tmp_path / "pki/alpha.key"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    found = read(tmp_path / "none.toml")
    assert str(found) == f"{tmp_path}/none.toml: cannot be read: No such file or directory; `mtad init DIR` writes one"


def test_a_file_that_is_there_and_cannot_be_read_is_not_to_be_written(tmp_path: Path) -> None:
    assert str(read(tmp_path)) == f"{tmp_path}: cannot be read: Is a directory"


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "mtad.toml"
    path.write_bytes(b"# one\n\xff = 2\n")
    assert str(read(path)) == f"{path}:2: not UTF-8; TOML is UTF-8"


def test_a_file_has_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "mtad.toml"
    path.write_bytes(MINIMAL.encode().ljust(FILE_OCTETS_MAX, b"\n"))
    assert isinstance(read(path), Settings)
    path.write_bytes(MINIMAL.encode().ljust(FILE_OCTETS_MAX + 1, b"\n"))
    assert str(read(path)) == f"{path}: is larger than {FILE_OCTETS_MAX} octets"


def test_errors_are_written_one_a_line() -> None:
    one = ConfigurationError("f", 3, "a.b", "is bad", "allowed: good")
    whole = ConfigurationError("f", 0, "", "is empty", "")
    assert str(ConfigurationErrors((one, whole))) == "f:3: a.b is bad; allowed: good\nf: is empty"


def test_limits_on_clients_are_read() -> None:
    settings = settings_of(
        MINIMAL + 'client_limits = ["7 sessions", "9 errors/hour"]\nexempt_networks = ["192.0.2.1"]\n'
    )
    assert settings.smtp.client_limits == ("7 sessions", "9 errors/hour")
    assert settings.smtp.exempt_networks == ("192.0.2.1/32",)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            'client_limits = ["0 sessions"]',
            "smtp.client_limits[0] '0 sessions' is no limit on clients; allowed: ",
        ),
        ('client_limits = ["5 sessions/hour"]', "'5 sessions/hour' is no limit on clients"),
        ('client_limits = ["5 errors/day"]', "'5 errors/day' is no limit on clients"),
        ('client_limits = ["1 errors/hour", "2 errors/minute"]', "smtp.client_limits[1] 'errors' is given twice"),
        ('exempt_networks = ["192.0.2.1/24"]', "smtp.exempt_networks[0] '192.0.2.1/24' is no network; allowed: an IP"),
        ('exempt_networks = ["example.org"]', "smtp.exempt_networks[0] 'example.org' is no network"),
    ],
)
def test_what_is_no_limit_on_clients(line: str, message: str) -> None:
    (error,) = errors(MINIMAL + line + "\n")
    assert message in error


def test_credentials_are_files_by_their_names() -> None:
    found = settings_of(MINIMAL + '[delivery.credentials]\nrelay = "relay.toml"\nother = "/run/other"\n')
    assert found.delivery.credentials == {"relay": FILE.parent / "relay.toml", "other": Path("/run/other")}


def test_maps_are_read() -> None:
    text = '[policy.maps]\nusers = "file:users"\nnets = "cidr:/etc/nets"\nall = "socketmap:inet:[::1]:99:n"\n'
    assert settings_of(MINIMAL + text).policy.maps == {
        "users": MapSource("file", str(FILE.parent / "users")),
        "nets": MapSource("cidr", "/etc/nets"),
        "all": MapSource("socketmap", "inet:[::1]:99:n"),
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("maps = 1", "policy.maps is a whole number (1); allowed: a table of at most 1_000 names"),
        ("maps.a = 1", "policy.maps.a is a whole number (1); allowed: a kind of map"),
        (
            'maps.a = "users"',
            "policy.maps.a 'users' begins with no kind of map: file, cidr, ",
        ),
        ('maps.a = "file:"', "policy.maps.a 'file:' does not say where the map is"),
        ('maps.a = "tcp:host"', "policy.maps.a 'tcp:host' has no port"),
        (
            'maps.a = "socketmap:/run/x:n"',
            "policy.maps.a 'socketmap:/run/x:n' is not inet:HOST:PORT:NAME",
        ),
        ('maps.a = "socketmap:inet:h:x:n"', "policy.maps.a 'socketmap:inet:h:x:n' has 'x' where a port number belongs"),
        ('maps.A = "file:x"', "policy.maps.A is no name; allowed: lower-case letters"),
    ],
)
def test_what_is_no_map(line: str, message: str) -> None:
    (found,) = errors(f"{MINIMAL}[policy]\n{line}\n")
    assert f": {message}" in found

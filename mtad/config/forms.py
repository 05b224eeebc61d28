"""How the texts in mtad.toml are read: each form says what it allows and returns a value, or why a text is unfit."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

DOMAIN_OCTETS_MAX = 253  # RFC 1035 §2.3.4, without the final dot
DNS_PORT = 53
UNIX_PATH_OCTETS_MAX = 107  # unix(7)
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SELECTOR = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?)*")
_CLIENT_LIMIT = re.compile(r"([1-9][0-9]{0,8}) (?:(sessions)|(connections|messages|recipients|errors)/(minute|hour))")
_PERIODS_SECONDS = {"minute": 60, "hour": 3600}
_SOCKETMAP = re.compile(r"(?:inet:(.+)|unix:(/[^:]+)):([!-9;-~]{1,200})")
_BRACKETED = re.compile(r"\[([^\]]*)\](?::(.*))?", re.DOTALL)


class Address(NamedTuple):
    """A host (name or IP address) and a port; or the path of a Unix socket, and port 0."""

    host: str
    port: int

    @property
    def is_unix(self) -> bool:
        """Whether it is a Unix socket."""
        return self.host.startswith("/")

    def __str__(self) -> str:
        if self.is_unix:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class MapSource(NamedTuple):
    """What kind a map is of, and where it is."""

    kind: str
    where: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.where}"


class Purpose(StrEnum):
    """What an SMTP listener is for, by the names that its ports have (RFC 6409, RFC 8314 §7.3)."""

    SMTP = "smtp"  # mail from other servers
    SUBMISSION = "submission"  # users, STARTTLS
    SUBMISSIONS = "submissions"  # users, TLS at once
    LMTP = "lmtp"  # mail from other servers that are told of each recipient (RFC 2033)


class Listener(NamedTuple):
    """Where SMTP clients connect, and which."""

    address: Address
    purpose: Purpose = Purpose.SMTP

    def __str__(self) -> str:
        return f"{self.address}" if self.purpose is Purpose.SMTP else f"{self.purpose}://{self.address}"


@dataclass(frozen=True, slots=True)
class ClientLimit:
    """What the clients of one network may have at a time, or may do in a period."""

    count: int
    what: str
    seconds: int  # 0: at a time


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why a text does not have the form."""

    why: str


Value = str | Address | Listener | MapSource


@dataclass(frozen=True, slots=True)
class Form:
    """One way to read a text. `allowed` completes the sentence "allowed: ..."."""

    allowed: str
    read: Callable[[str], Value | Unfit]


def _read_name(text: str) -> str | Unfit:
    return text if _LABEL.fullmatch(text) else Unfit("is no name")


def _read_domain(text: str) -> str | Unfit:
    domain = text.lower().removesuffix(".")
    if not domain.isascii():
        return Unfit("is not ASCII; write its A-label form (xn--...)")
    labels = domain.split(".")
    if len(domain) > DOMAIN_OCTETS_MAX or not all(_LABEL.fullmatch(label) for label in labels):
        return Unfit("is no domain name")
    if labels[-1].isdigit():
        return Unfit("is an IP address, not a domain name")
    return domain


def _read_hostname(text: str) -> str | Unfit:
    domain = _read_domain(text)
    if isinstance(domain, str) and "." not in domain:
        return Unfit("has no domain behind the host")
    return domain


def _read_selector(text: str) -> str | Unfit:
    return text if _SELECTOR.fullmatch(text) else Unfit("is no selector")


def _port(text: str) -> int | Unfit:
    if not (text.isascii() and text.isdigit() and int(text[:6]) <= 65535):
        return Unfit(f"has {text!r} where a port number belongs")
    return int(text)


def _split(text: str, default_port: int | None = None) -> Address | Unfit:
    """Split `host:port` or `[ipv6]:port`."""
    bracketed = _BRACKETED.fullmatch(text)
    if bracketed is not None:
        host, port_text = bracketed[1], bracketed[2] or ""
        if not _is_ip(host, 6):
            return Unfit("has no IPv6 address between the brackets")
    elif text.count(":") > 1:
        return Unfit("looks like an IPv6 address without brackets")
    else:
        host, _, port_text = text.partition(":")
    if not port_text and default_port is not None and not text.endswith(":"):
        return Address(host, default_port)
    if not port_text:
        return Unfit("has no port")
    port = _port(port_text)
    return port if isinstance(port, Unfit) else Address(host, port)


def _is_ip(text: str, version: int | None = None) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return version is None or address.version == version


def _read_listener(text: str) -> Address | Unfit:
    address = _split(text)
    if isinstance(address, Address) and not _is_ip(address.host):
        return Unfit("does not begin with an IP address")
    return address


def _read_path(text: str) -> Address | Unfit:
    is_too_long = len(text.encode("utf-8", "surrogateescape")) > UNIX_PATH_OCTETS_MAX
    return Unfit(f"is longer than {UNIX_PATH_OCTETS_MAX} octets") if is_too_long else Address(text, 0)


def _read_smtp_listener(text: str) -> Listener | Unfit:
    scheme, separator, rest = text.rpartition("://")
    if separator and scheme not in set(Purpose):
        return Unfit(f"has {scheme!r} where smtp, submission, submissions or lmtp may stand")
    address = _read_path(rest) if scheme == Purpose.LMTP and rest.startswith("/") else _read_listener(rest)
    return address if isinstance(address, Unfit) else Listener(address, Purpose(scheme or Purpose.SMTP))


def _read_endpoint(text: str) -> Address | Unfit:
    address = _split(text)
    if isinstance(address, Unfit):
        return address
    if not _is_ip(address.host) and isinstance(_read_domain(address.host), Unfit):
        return Unfit("does not begin with an IP address or a host name")
    return Unfit("has port 0") if address.port == 0 else address


def _read_resolver(text: str) -> Address | Unfit:
    address = Address(text, DNS_PORT) if _is_ip(text) else _split(text, DNS_PORT)
    if isinstance(address, Unfit):
        return address
    if not _is_ip(address.host):
        return Unfit("does not begin with an IP address")
    return Unfit("has port 0") if address.port == 0 else address


def client_limit(text: str) -> ClientLimit | Unfit:
    """Read what stands in `smtp.client_limits`."""
    found = _CLIENT_LIMIT.fullmatch(text)
    if found is None:
        return Unfit("is no limit on clients")
    return ClientLimit(int(found[1]), found[2] or found[3], _PERIODS_SECONDS.get(found[4], 0))


def _read_client_limit(text: str) -> str | Unfit:
    limit = client_limit(text)
    return limit if isinstance(limit, Unfit) else text


def _read_network(text: str) -> str | Unfit:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        return Unfit("is no network")


def _read_map(text: str) -> MapSource | Unfit:
    kind, _, where = text.partition(":")
    if kind in MAPS_IN_FILES:
        return MapSource(kind, where) if where and "\0" not in where else Unfit("does not say where the map is")
    if kind not in _MAPS_ELSEWHERE:
        return Unfit(f"begins with no kind of map: {', '.join((*MAPS_IN_FILES, *_MAPS_ELSEWHERE))}")
    found = _MAPS_ELSEWHERE[kind](where)
    return found if isinstance(found, Unfit) else MapSource(kind, where)


def socketmap_place(where: str) -> tuple[Address, str] | Unfit:
    """Take `inet:HOST:PORT:NAME` or `unix:PATH:NAME` apart, as Postfix writes them."""
    found = _SOCKETMAP.fullmatch(where)
    if found is None:
        return Unfit("is not inet:HOST:PORT:NAME or unix:/PATH:NAME")
    address = _read_endpoint(found[1]) if found[1] else _read_path(found[2])
    return address if isinstance(address, Unfit) else (address, found[3])


def tcp_table_place(where: str) -> Address | Unfit:
    """Read `HOST:PORT`."""
    return _read_endpoint(where)


MAPS_IN_FILES = ("file", "cidr", "regexp", "lmdb", "sql", "ldap")
"""The kinds of maps that are files."""
_MAPS_ELSEWHERE: Mapping[str, Callable[[str], object]] = {"socketmap": socketmap_place, "tcp": tcp_table_place}


NAME = Form("lower-case letters, digits and inner hyphens, at most 63", _read_name)
DOMAIN = Form("a domain name such as example.org", _read_domain)
HOSTNAME = Form("a host name with its domain, such as mx1.example.org", _read_hostname)
SELECTOR = Form("a DKIM selector such as s2026", _read_selector)
LISTENER = Form(
    'an IP address and a port, such as "127.0.0.1:25" or "[::1]:25"; port 0 lets the system choose', _read_listener
)
SMTP_LISTENER = Form(
    'an IP address and a port, such as "0.0.0.0:25", before them "submission://" (port 587) or "submissions://" (port '
    '465) where users come in, "lmtp://" where LMTP is spoken ("lmtp:///run/mtad/lmtp" on a Unix socket); port 0 lets '
    "the system choose",
    _read_smtp_listener,
)
ENDPOINT = Form('a host name or IP address and a port, such as "mx2.example.org:7250" or "[::1]:7250"', _read_endpoint)
RESOLVER = Form('an IP address, with a port if it is not 53, such as "127.0.0.1" or "[::1]:5353"', _read_resolver)
CLIENT_LIMIT = Form(
    '"N sessions", or N connections, messages, recipients or errors a minute or an hour, such as "60 errors/minute"',
    _read_client_limit,
)
NETWORK = Form('an IP network such as "192.0.2.0/24" or "2001:db8::/32", or one address', _read_network)
MAP = Form('a kind of map and where it is, such as "file:users" or "socketmap:unix:/run/maps:users"', _read_map)

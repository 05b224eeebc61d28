"""Where a recipient's mail goes next: vnd.mtad.route."""

from __future__ import annotations

import ipaddress
import re

from mtad.mail.route import Route, TlsLevel, Transport
from mtad.sieve.actions import RouteTo
from mtad.sieve.code import Code, perform
from mtad.sieve.language import ArgumentType, Bound, Kind, Spec, Tag
from mtad.sieve.syntax import Strings, Text

HOSTS_MAX = 16
_PORT_MAX = 65535
_UNIX = "unix:"
_HOST_NAME = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)*\Z"
)
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")  # as mtad.toml has names
_POOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}\Z")
_TRANSPORTS = {transport.value: transport for transport in Transport}
_LEVELS = {level.value: level for level in TlsLevel}
_LATER = ("dane", "dane-only", "fingerprint", "verify", "secure", "mta-sts")  # whose checks nobody here makes


def _route(bound: Bound) -> Code:
    transport = _TRANSPORTS.get(bound.string(0))
    if transport is None:
        return bound.fail(bound.strings(0).at, f'unknown transport "{bound.string(0)}": {_choices(_TRANSPORTS)}')
    level = _LEVELS.get(bound.tag_string(":tls") or TlsLevel.MAY.value)
    tls = bound.tag_strings(":tls")
    if level is None and tls is not None:
        said = tls.items[0].value
        why = f'TLS level "{said}" is not in this version' if said in _LATER else f'unknown TLS level "{said}"'
        return bound.fail(tls.at, f"{why}: {_choices(_LEVELS)}")
    given = bound.tag_strings(":host")
    hosts = given.items if given is not None else ()
    port = bound.tag_number(":port")
    sources = bound.tag_strings(":source")
    wrong = _wrong_hosts(hosts) or _wrong_port(bound, transport, hosts) or _wrong_sources(sources) or _wrong_name(bound)
    wrong = wrong or _wrong_login(bound, hosts, level)
    if wrong is not None:
        return bound.fail(*wrong)
    route = Route(
        transport,
        tuple(host.value for host in hosts),
        port.value if port is not None else None,
        level or TlsLevel.MAY,
        tuple(str(ipaddress.ip_address(source.value)) for source in sources.items) if sources is not None else (),
        bound.tag_string(":helo") or "",
        bound.tag_string(":pool") or "",
        bound.tag_string(":auth") or "",
    )
    return perform(RouteTo(route, to_domain=bound.has(":nomx") and not hosts), is_terminal=False)


def _wrong_hosts(hosts: tuple[Text, ...]) -> tuple[int, str] | None:
    if len(hosts) > HOSTS_MAX:
        return hosts[HOSTS_MAX].at, f"a route may have {HOSTS_MAX} hosts"
    for host in hosts:
        if host.value.startswith(_UNIX):
            if len(hosts) > 1:
                return host.at, "a Unix socket must be the only host"
            if not host.value.startswith(_UNIX + "/") or "\0" in host.value:
                return host.at, f'"{host.value}" needs an absolute path'
        elif not _HOST_NAME.match(host.value) and not _is_address(host.value):
            return host.at, f'"{host.value}" is no host name, address or unix:/path'
    return None


def _wrong_port(bound: Bound, transport: Transport, hosts: tuple[Text, ...]) -> tuple[int, str] | None:
    port = bound.tag_number(":port")
    is_unix = any(host.value.startswith(_UNIX) for host in hosts)
    if port is not None and not 1 <= port.value <= _PORT_MAX:
        return port.at, f"a port is 1 to {_PORT_MAX}"
    if port is not None and is_unix:
        return port.at, "a Unix socket has no port"
    if transport is Transport.LMTP and not hosts:
        return bound.at, "LMTP needs a :host"
    if transport is Transport.LMTP and port is None and not is_unix:
        return bound.at, "LMTP has no port of its own: give :port"  # RFC 2033 §5: never 25
    return None


def _wrong_sources(given: Strings | None) -> tuple[int, str] | None:
    versions = set()
    for source in given.items if given is not None else ():
        if not _is_address(source.value) or "%" in source.value:
            return source.at, f'"{source.value}" is no address'
        version = ipaddress.ip_address(source.value).version
        if version in versions:
            return source.at, f"a route has one source of IPv{version}"
        versions.add(version)
    return None


def _wrong_name(bound: Bound) -> tuple[int, str] | None:
    for tag, form, what in ((":helo", _HOST_NAME, "host name"), (":pool", _POOL, "name of a pool")):
        given = bound.tag_strings(tag)
        if given is not None and not form.match(given.items[0].value):
            return given.items[0].at, f'"{given.items[0].value}" is no {what}'
    return None


def _wrong_login(bound: Bound, hosts: tuple[Text, ...], level: TlsLevel | None) -> tuple[int, str] | None:
    given, known = bound.tag_strings(":auth"), bound.unit.outside.logins
    if given is None:
        return None
    name = given.items[0].value
    if not _NAME.match(name) or (known is not None and name not in known):
        return given.items[0].at, f'delivery.credentials of mtad.toml has no "{name}"'
    if not hosts:
        return bound.at, ":auth needs a :host: whoever DNS names would be told the password"
    if level is TlsLevel.NONE and not all(_is_near(host.value) for host in hosts):
        return bound.at, ':auth is not for :tls "none": the password would be sent in clear text'
    return None


def _is_near(host: str) -> bool:
    return host.startswith(_UNIX) or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _choices(names: dict[str, Transport] | dict[str, TlsLevel]) -> str:
    return " or ".join(f'"{name}"' for name in names)


ROUTE = (
    Spec(
        "route",
        Kind.COMMAND,
        _route,
        capabilities=("vnd.mtad.route",),
        tags=(
            Tag(":host", value=ArgumentType.STRINGS),
            Tag(":nomx"),
            Tag(":port", value=ArgumentType.NUMBER),
            Tag(":tls", value=ArgumentType.STRING),
            Tag(":source", value=ArgumentType.STRINGS),
            Tag(":helo", value=ArgumentType.STRING),
            Tag(":auth", value=ArgumentType.STRING),
            Tag(":pool", value=ArgumentType.STRING),
        ),
        positional=(ArgumentType.STRING,),
        stages=("deliver", "queue"),
    ),
)

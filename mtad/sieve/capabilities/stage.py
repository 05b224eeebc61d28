"""Stages of a session, and the network of an address: vnd.mtad.stage.

    ip [":remote" / ":local" / ":name" <address: string>] <networks: string-list>

Without a tag it is the client's address; `:local` is ours that it came to. What is no address is in no network.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

from mtad.mail.ip_address import parse_ip
from mtad.sieve.code import Code, Plain, constant
from mtad.sieve.language import SESSION_STAGES, ArgumentType, Bound, Kind, Spec, Tag
from mtad.sieve.run import Run

CAPABILITY = "vnd.mtad.stage"
_SEPARATORS = re.compile(r"[-+_=.#!%~]{1,8}\Z")
_PARSED_MAX = 1024
_NETWORK = 6  # units of compiling

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


_parsed = lru_cache(maxsize=_PARSED_MAX)(parse_ip)  # a client is asked about at each stage of its session


def _read_remote(run: Run) -> str:
    return run.facts.environment("remote-ip")


def _read_local(run: Run) -> str:
    return run.facts.environment("vnd.mtad.local-ip")


def _network(text: str) -> Network | str:
    """Parse a network, or say what is wrong with it."""
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        pass
    try:
        return f'"{text}" has bits set behind its prefix; "{ipaddress.ip_network(text, strict=False)}" is meant?'
    except ValueError:
        return f'"{text}" is no network'


def _ip(bound: Bound) -> Code:
    named, is_local = bound.tag_template(":name"), bound.has(":local")
    if is_local and bound.stage not in SESSION_STAGES:  # the queue does not keep it
        return bound.fail(bound.at, f'ip :local is not known in stage "{bound.stage}"')
    read = named.read if named is not None else _read_local if is_local else _read_remote
    masks: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
    for item in bound.strings(0).items:
        if not bound.spend(_NETWORK):
            break
        network = _network(item.value)
        if isinstance(network, str):
            bound.fail(item.at, network)
        else:
            masks[network.version].append((int(network.network_address), int(network.netmask)))

    def ask(run: Run) -> bool:
        address = _parsed(read(run))
        if address is None:
            return False
        candidates = masks[address.version]
        run.spend(len(candidates))
        value = int(address)
        return any(value & mask == network for network, mask in candidates)

    return Plain(ask)


def _separators(bound: Bound) -> Code:
    given = bound.string(0)
    if not _SEPARATORS.match(given):
        return bound.fail(bound.strings(0).at, f'"{given}" are no separators: one to eight of + - _ = . # ! % ~')
    bound.unit.defined.separators = given
    return constant(False)


STAGE = (
    Spec("separators", Kind.DEFINITION, _separators, capabilities=(CAPABILITY,), positional=(ArgumentType.STRING,)),
    Spec("stage", Kind.STAGE, capabilities=(CAPABILITY,), positional=(ArgumentType.STRING,), has_block=True),
    Spec(
        "ip",
        Kind.TEST,
        _ip,
        capabilities=(CAPABILITY,),
        tags=(Tag(":remote", "whose"), Tag(":local", "whose"), Tag(":name", "whose", ArgumentType.TEXT)),
        positional=(ArgumentType.STRINGS,),
    ),
)

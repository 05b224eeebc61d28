"""The form of what the reference says of a capability beside its rows in the spec table, and the names of arguments."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class About:
    """One page.

    capabilities   those that it is about; '' is the base language
    example        a policy, or (`is_plain`) a plain script: whole, for a test compiles and, where it waits for
                   nothing, runs it
    """

    page: str
    capabilities: tuple[str, ...]
    source: str
    text: str
    example: str
    is_plain: bool = False


ARGUMENTS = {  # what the positional arguments are called, by the name of the command or test
    "addrcpt": ("address",),
    "addheader": ("field-name", "value"),
    "arc": ("results",),
    "address": ("header-list", "key-list"),
    "body": ("key-list",),
    "bounce": ("reason",),
    "concurrency": ("limit",),
    "currentdate": ("date-part", "key-list"),
    "date": ("header-name", "date-part", "key-list"),
    "defer": ("reason",),
    "delay": ("seconds",),
    "metric": ("name",),
    "deleteheader": ("field-name", "value-patterns"),
    "dkim": ("results",),
    "dmarc": ("key-list",),
    "dns": ("type", "name", "key-list"),
    "dnsbl": ("zones", "answers"),
    "envelope": ("envelope-part", "key-list"),
    "environment": ("item", "key-list"),
    "ereject": ("reason",),
    "error": ("message",),
    "execute": ("program-name", "arguments"),
    "exists": ("header-names",),
    "extracttext": ("variable",),
    "fileinto": ("mailbox",),
    "filter": ("program-name", "arguments"),
    "global": ("variables",),
    "header": ("header-names", "key-list"),
    "ihave": ("capabilities",),
    "include": ("name",),
    "ip": ("networks",),
    "iprev": ("results",),
    "log": ("text",),
    "lookup": ("map", "key", "values"),
    "map": ("name", "lines"),
    "mapset": ("map", "key", "value"),
    "milter": ("name",),
    "monitor": ("label",),
    "outcome": ("item", "key-list"),
    "policy": ("service", "actions"),
    "quarantine": ("name",),
    "ratelimit": ("limit", "seconds"),
    "redirect": ("address",),
    "reject": ("reason",),
    "require": ("capabilities",),
    "route": ("transport",),
    "scan": ("scanner",),
    "score": ("points", "symbol"),
    "score (a test)": ("relation", "points"),
    "separators": ("characters",),
    "set": ("name", "value"),
    "setrcpt": ("address",),
    "setsender": ("address",),
    "size": ("limit",),
    "spamscale": ("most",),
    "srs": ("address",),
    "spamtest": ("value",),
    "spf": ("results",),
    "stage": ("name",),
    "string": ("source", "key-list"),
    "tempfail": ("reason",),
    "valid_ext_list": ("list-names",),
    "virusscale": ("field-name", "level", "texts"),
    "virustest": ("value",),
}

"""Takes a setting's type apart, and says in words what it allows: for messages and for the reference page."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from mtad.config.settings import About


def plain(hint: object) -> tuple[Any, About]:
    """Return a setting's type without `Annotated` and `| None`, and what it is about."""
    about = About("")
    if get_origin(hint) is Annotated:
        hint, about = get_args(hint)[:2]
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(each for each in get_args(hint) if each is not type(None))
    return hint, about


def element(kind: Any, about: About) -> tuple[Any, About]:
    """Return what one element of a list or of a table with free names is, and its limits."""
    return get_args(kind)[-1 if get_origin(kind) is Mapping else 0], About("", form=about.form)


def allowed(kind: Any, about: About) -> str:
    """Say what a setting allows; completes the sentence "allowed: ..."."""
    if kind is bool:
        return "true or false"
    if kind in (int, float):
        return f"{'a whole number' if kind is int else 'a number'} from {figure(about.least)} to {figure(about.most)}"
    if get_origin(kind) is Literal:
        return " or ".join(f'"{each}"' for each in get_args(kind))
    if get_origin(kind) is tuple:
        return f"a list of {figure(about.least)} to {figure(about.most)}, each {allowed(*element(kind, about))}"
    if get_origin(kind) is Mapping:
        return f"a table of at most {figure(about.most)} names, each {allowed(*element(kind, about))}"
    if dataclasses.is_dataclass(kind):
        return f"a table with {', '.join(field.name for field in dataclasses.fields(kind))}"
    return about.form.allowed if about.form is not None else "a path, absolute or relative to the folder of mtad.toml"


def figure(number: float) -> str:
    """Write a number as TOML reads it, long ones in groups of three."""
    return f"{int(number):_}" if number == int(number) else f"{number:g}"

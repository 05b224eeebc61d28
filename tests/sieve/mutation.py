"""Plants one fault after the other in the engine, and has the test files look for it.

`python -m tests.sieve.mutation` plants each; `--every 10` each tenth. A fault turns a comparison, `not`, `and` or `or`
into its opposite, or adds one to a number. One that no test file notices is printed with its place: a test is missing,
or the code can be simpler, or it belongs into the list of those that cannot be noticed, with the reason (unnoticed.py).
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import importlib.abc
import importlib.machinery
import importlib.util
import multiprocessing
import os
import signal
import sys
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mtad.rehearsal.play import files_of
from tests.sieve.unnoticed import reason

HERE = Path(__file__).parent
ENGINE = HERE.parents[1] / "mtad" / "sieve"
SECONDS_MAX = 20  # of one run; a fault that hangs the engine is noticed

_OPPOSITES: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}


class Fault(NamedTuple):
    """A place where one can be planted: the number of its node in the walk of the module."""

    path: Path
    node: int
    line: int
    what: str
    text: str  # of the line

    def __str__(self) -> str:
        return f"{self.path.relative_to(ENGINE.parents[1])}:{self.line}: {self.what}"

    @property
    def why_unnoticed(self) -> str:
        """Why no test file can notice it; '' where one can."""
        return reason(str(self.path.relative_to(ENGINE)), self.text, self.what)

    @property
    def module(self) -> str:
        return ".".join(self.path.relative_to(ENGINE.parents[1]).with_suffix("").parts)


def faults_of(path: Path) -> Iterator[Fault]:
    """Yield the places of a module; annotations and docstrings have none."""
    text = path.read_text()
    lines = text.splitlines()
    for number, node in enumerate(ast.walk(ast.parse(text))):
        what = _what(node)
        if what:
            line = getattr(node, "lineno", 1)
            yield Fault(path, number, line, what, lines[line - 1].strip())


def _what(node: ast.AST) -> str:
    match node:
        case ast.Compare(ops=[operator]):
            return f"{type(operator).__name__} turned"
        case ast.BoolOp(op=operator):
            return f"{type(operator).__name__} turned"
        case ast.UnaryOp(op=ast.Not()):
            return "Not left out"
        case ast.Constant(value=int()) if not isinstance(node.value, bool):
            return f"{node.value} made {node.value + 1}"
        case _:
            return ""


def planted(fault: Fault) -> types.CodeType:
    """Return the module's code with the fault in it."""
    tree = ast.parse(fault.path.read_text())
    for number, node in enumerate(ast.walk(tree)):
        if number == fault.node:
            _plant(node)
    return compile(ast.fix_missing_locations(tree), str(fault.path), "exec")


def _plant(node: ast.AST) -> None:
    if isinstance(node, ast.Compare):
        node.ops = [_OPPOSITES[type(node.ops[0])]()]
    elif isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    elif isinstance(node, ast.UnaryOp):
        node.op, node.operand = ast.Not(), ast.UnaryOp(ast.Not(), node.operand)
    elif isinstance(node, ast.Constant):
        node.value += 1  # type: ignore[operator]


class _Planted(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module with a fault in it."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        return importlib.util.spec_from_loader(name, self) if name == self._fault.module else None

    def exec_module(self, module: types.ModuleType) -> None:
        exec(planted(self._fault), module.__dict__)


class Watch:
    """Plays the test files; first the one that has noticed the last fault, for it may well notice its neighbour."""

    def __init__(self) -> None:
        self._files = list(files_of([HERE]))

    def is_noticed(self, fault: Fault | None) -> bool:
        """Play them in a process of its own, in which the fault is planted; without one all of them are good."""
        process = multiprocessing.get_context("fork").Process(target=_play, args=(fault, self._files))
        process.start()
        process.join()
        if process.exitcode:
            place = process.exitcode - 1
            if 0 < place < len(self._files):
                self._files.insert(0, self._files.pop(place))
        return process.exitcode != 0


def _play(fault: Fault | None, files: Sequence[Path]) -> None:
    """Play the files; end with the number of the first that is not good, counted from 1, or 0."""
    signal.alarm(SECONDS_MAX)
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 2)
    if fault is not None:
        sys.meta_path.insert(0, _Planted(fault))
    for name in [name for name in sys.modules if name.startswith(("mtad.sieve", "mtad.admission", "mtad.rehearsal"))]:
        del sys.modules[name]
    from mtad.rehearsal.play import play_file

    async def first_bad() -> int:
        for number, path in enumerate(files, start=1):
            if not (await play_file(path, must_fail=path.parent.name == "must-fail")).is_good:
                return number
        return 0

    sys.exit(asyncio.run(first_bad()))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sieve.mutation", description=__doc__)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("modules", nargs="*", help="names of the engine's modules; all of them if none is given")
    asked = parser.parse_args()
    paths = [path for path in sorted(ENGINE.rglob("*.py")) if not asked.modules or path.stem in asked.modules]
    found = [fault for path in paths for fault in faults_of(path)]
    faults = [fault for fault in found if not fault.why_unnoticed]
    watch = Watch()
    if watch.is_noticed(None):
        print("The test files are not good as it is.")
        return 1
    unnoticed = 0
    for fault in faults[asked.first :: asked.every]:
        if not watch.is_noticed(fault):
            unnoticed += 1
            print(f"{fault}: {fault.text}", flush=True)
    planted_count = len(faults[asked.first :: asked.every])
    print(f"{planted_count} faults, {planted_count - unnoticed} noticed; {len(found) - len(faults)} cannot be.")
    return int(unnoticed > 0)


if __name__ == "__main__":
    sys.exit(main())

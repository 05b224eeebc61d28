"""Where work is done, by how much it has to do."""

from __future__ import annotations

import threading

import pytest

from mtad.off_loop import ON_LOOP_OCTETS_MAX, off_loop_if_long


@pytest.mark.parametrize(("octets_count", "is_on_loop"), [(0, True), (ON_LOOP_OCTETS_MAX, True), (300_000, False)])
async def test_long_work_alone_goes_to_a_thread(octets_count: int, *, is_on_loop: bool) -> None:
    here = await off_loop_if_long(octets_count, threading.get_ident)
    assert (here == threading.get_ident()) is is_on_loop


@pytest.mark.parametrize("octets_count", [0, ON_LOOP_OCTETS_MAX + 1])
async def test_what_work_comes_to_comes_back(octets_count: int) -> None:
    assert await off_loop_if_long(octets_count, sorted, [1, 2], reverse=True) == [2, 1]
    with pytest.raises(ValueError, match="invalid literal"):
        await off_loop_if_long(octets_count, int, "x")

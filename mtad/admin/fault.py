"""The boundary of a call: a fault of ours is logged, and its text stays here (gRPC would send it to the caller)."""

from __future__ import annotations

import functools
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from mtad.telemetry.events import Events


def answering(events: Events, call: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
    """Return the call, answering INTERNAL with a reference into the log where it faults."""

    @functools.wraps(call)
    async def answer(request: Any, context: Any) -> Any:
        try:
            return await call(request, context)
        except grpc.aio.AbortError:
            raise
        except Exception as error:  # noqa: BLE001 (the boundary of one call)
            await context.abort(grpc.StatusCode.INTERNAL, _report(events, call.__name__, error))

    return answer


def streaming(
    events: Events, call: Callable[[Any, Any], AsyncIterator[Any]]
) -> Callable[[Any, Any], AsyncIterator[Any]]:
    """Return the call that streams, ending with INTERNAL and a reference into the log where it faults."""

    @functools.wraps(call)
    async def answers(request: Any, context: Any) -> AsyncIterator[Any]:
        try:
            async for answer in call(request, context):
                yield answer
        except grpc.aio.AbortError:
            raise
        except Exception as error:  # noqa: BLE001 (the boundary of one call)
            await context.abort(grpc.StatusCode.INTERNAL, _report(events, call.__name__, error))

    return answers


def _report(events: Events, call: str, error: Exception) -> str:
    trace = secrets.token_hex(4)
    events.emit("admin.fault", level="error", call=call, trace=trace, error=f"{type(error).__name__}: {error}")
    return f"local error, ref {trace}"

"""What runs a Python sensor: `python3 attune_sensor.py ENTRYPOINT` reads a poll's request on stdin, calls the
entrypoint's poll(ctx) and writes what it yields as messages on file descriptor 3. Python 3.9 or newer, no dependencies.

A sensor's file may use it for type hints: `from attune_sensor import Context`."""

from __future__ import annotations

import sys

if sys.version_info < (3, 9):
    sys.exit("sensors need Python 3.9 or newer, this is " + sys.version.split()[0] + " (" + sys.executable + ")")

import faulthandler
import importlib.util
import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing takes 5 ms of every poll
    from typing import Any, BinaryIO

_TEXT_LIMIT = 16 << 10  # of an exception's text


class Log:
    """Writes lines to the sensor's log: `ctx.log("...")`, `ctx.log.warning("...")`."""

    def __init__(self, send) -> None:
        self._send = send

    def __call__(self, message: Any, level: str = "info") -> None:
        self._send({"type": "log", "level": level, "message": str(message)}, flush=True)

    def debug(self, message: Any) -> None:
        self(message, "debug")

    def info(self, message: Any) -> None:
        self(message, "info")

    def warning(self, message: Any) -> None:
        self(message, "warning")

    def error(self, message: Any) -> None:
        self(message, "error")


class Context:
    """What a poll is given."""

    config: dict[str, Any]  # the sensor's config
    log: Log

    def __init__(self, request: dict[str, Any], out: BinaryIO) -> None:
        self.config = request["config"]
        self.log = Log(self._send)
        self._request = request
        self._out = out
        self._cursor = request["cursor"]
        self._first_cursor = json.dumps(self._cursor)
        self._events = 0

    @property
    def cursor(self) -> Any:
        """Where the sensor got to: what an earlier poll set, None at first. Any JSON value; kept if the poll succeeds."""
        return self._cursor

    @cursor.setter
    def cursor(self, value: Any) -> None:
        _encode("ctx.cursor", value)  # so that the traceback shows where a bad one is set
        self._cursor = value

    @property
    def deadline(self):
        """When the poll is stopped, as an aware datetime."""
        from datetime import datetime

        return datetime.fromisoformat(self._request["deadline"].replace("Z", "+00:00"))

    def skip(self, reason: str) -> None:
        """Says why this poll finds nothing: `return ctx.skip("no new mail")`."""
        self._send({"type": "skip", "reason": str(reason)})

    def _event(self, payload: Any) -> None:
        self._events += 1
        what = f"event {self._events}"
        if not isinstance(payload, dict):
            raise TypeError(f"{what} is a {type(payload).__name__}: yield a dict")
        self._out.write(b'{"type":"event","payload":%b}\n' % _encode(what, payload))

    def _send(self, message: dict[str, Any], flush: bool = False) -> None:
        self._out.write(json.dumps(message).encode() + b"\n")
        if flush:
            self._out.flush()

    def _done(self) -> None:
        cursor = _encode("ctx.cursor", self._cursor)
        if cursor.decode() != self._first_cursor:  # also when it was changed in place
            self._send({"type": "cursor", "cursor": self._cursor})
        self._send({"type": "done"})
        self._out.flush()

    def _error(self, error: BaseException) -> None:
        text = f"{type(error).__name__}: {error}"
        self._send({"type": "error", "message": text[:_TEXT_LIMIT], "traceback": _traceback(error)[-_TEXT_LIMIT:]}, flush=True)


def _traceback(error: BaseException) -> str:
    """The error's traceback from where the sensor's own code begins."""
    import traceback

    report = traceback.TracebackException.from_exception(error)
    frames = [frame for frame in report.stack if frame.filename != __file__]
    while frames and not frames[0].filename.startswith(os.getcwd() + os.sep):
        del frames[0]
    report.stack = traceback.StackSummary.from_list(frames)
    if frames:
        return "".join(report.format())
    return "".join(report.format_exception_only()) if isinstance(error, SyntaxError) else ""


def _encode(what: str, value: Any) -> bytes:
    try:
        return json.dumps(value, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise type(error)(f"{what} is not JSON: {error}") from None


def _load(entrypoint: str):
    """Imports the sensor's file and returns its poll, as a function of the context."""
    sys.path[0:1] = [os.path.dirname(os.path.abspath(entrypoint)), os.getcwd()]
    name = "__sensor__"  # none that the sensor may import
    spec = importlib.util.spec_from_file_location(name, os.path.abspath(entrypoint))
    if spec is None or spec.loader is None:
        raise ImportError(f"{entrypoint} is not a Python file: its name has to end in .py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    poll = getattr(module, "poll", None)
    if not callable(poll):
        raise AttributeError(f"{entrypoint} has no poll: define `def poll(ctx):`")
    code = getattr(poll, "__code__", None)
    if code is not None and code.co_argcount == 0 and not code.co_flags & 0x04:  # 0x04: it takes *args
        return lambda ctx: poll()
    return poll


def _each(result: Any, emit) -> None:
    """Emits what a poll returned: a list or another iterable of events, or None."""
    if result is None:
        return
    if isinstance(result, (dict, str, bytes)) or not hasattr(result, "__iter__"):
        raise TypeError(f"poll returned {type(result).__name__}: yield events, or return a list of them")
    for payload in result:
        try:
            emit(payload)
        except Exception as error:
            if hasattr(result, "throw"):
                result.throw(error)  # so that the traceback shows the yield
            raise


async def _each_async(result: Any, emit) -> None:
    """The same for a coroutine or an async generator."""
    if not hasattr(result, "__aiter__"):
        return _each(await result, emit)
    async for payload in result:
        try:
            emit(payload)
        except Exception as error:
            await result.athrow(error)
            raise


def main() -> None:
    sys.modules["attune_sensor"] = sys.modules["__main__"]
    os.set_inheritable(3, False)  # events are this process's alone
    ctx = Context(json.loads(sys.stdin.buffer.readline()), os.fdopen(3, "wb", buffering=64 << 10))
    # A poll that hangs leaves in its log where it does; the half second is for Python's own start.
    timeout = ctx._request["timeout_seconds"]
    faulthandler.dump_traceback_later(max(timeout * 0.9 - 0.5, timeout / 2))
    try:
        result = _load(sys.argv[1])(ctx)
        if hasattr(result, "__aiter__") or hasattr(result, "__await__"):
            import asyncio

            asyncio.run(_each_async(result, ctx._event))
        else:
            _each(result, ctx._event)
        sys.stdout.flush()
        ctx._done()
    except BaseException as error:
        ctx._error(error)
        sys.exit(1)
    faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    main()

"""What runs a Python sensor. Python 3.9 or newer, no dependencies.

    python3 -m attune_sensor run code/inbox.py --config '{"folder": "/tmp"}'    one poll, here and now
    python3 attune_sensor.py serve code/inbox.py                               what a worker does, see sensor-protocol.md

A sensor's file needs it for type hints only, and a test of a sensor for run_once:

    from attune_sensor import Context, Event, run_once
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 9):
    sys.exit("sensors need Python 3.9 or newer, this is " + sys.version.split()[0] + " (" + sys.executable + ")")

import faulthandler
import json
import os
from _thread import RLock
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:  # what only editors need would take 5 ms of each start
    from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sequence
    from datetime import datetime, timedelta
    from typing import Any, NoReturn, Optional, Protocol, Union

    Payload = dict[str, Any]
    Events = Optional[Iterable[Union[Payload, "Event"]]]
    Poll = Union[
        Callable[["Context"], Union[Events, Awaitable[Events], AsyncIterable[Union[Payload, "Event"]]]],
        Callable[[], Union[Events, Awaitable[Events], AsyncIterable[Union[Payload, "Event"]]]],
    ]

    class _Out(Protocol):
        def write(self, line: bytes) -> None: ...
        def flush(self) -> None: ...
        def ready(self) -> bool: ...


__all__ = ["Context", "Event", "Limits", "Log", "Result", "run_once"]

_PROTOCOL = 1
_SDK = "python/1"
_TEXT_LIMIT = 16 << 10  # characters of an exception's text, of its traceback, and of a line for the log
_KEY_LIMIT = 1024  # bytes
_CHUNK = 64 << 10  # bytes gathered for one write
_LIMITS = {"event_bytes": 1 << 20, "poll_bytes": 64 << 20, "events": 10_000}

_dumps = json.JSONEncoder(allow_nan=False).encode


# What a sensor's code sees


class Event:
    """A payload with what goes beside it: `yield ctx.event({"id": 7}, key="7")`.

    key: later events of the sensor with the same key are dropped for its `dedupe_ttl`; at most 1,024 bytes.
    trigger: which of the sensor's triggers it is for; the first of them if it is None.
    occurred_at: when it happened, an aware datetime.
    """

    __slots__ = ("payload", "key", "trigger", "occurred_at")

    def __init__(
        self,
        payload: Payload,
        key: str | None = None,
        trigger: str | None = None,
        occurred_at: datetime | None = None,
    ) -> None:
        if not isinstance(payload, dict):
            raise TypeError(f"the event's payload is {_kind(payload)}: it has to be a dict")
        if key is not None:
            _check_key(key)
        if trigger is not None and not isinstance(trigger, str):
            raise TypeError(f"the event's trigger is {_kind(trigger)}: it has to be a string such as \"pack.name\"")
        if occurred_at is not None:
            _rfc3339(occurred_at)
        self.payload = payload
        self.key = key
        self.trigger = trigger
        self.occurred_at = occurred_at

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Event) and all(getattr(self, name) == getattr(other, name) for name in Event.__slots__)

    def __repr__(self) -> str:
        beside = [f", {name}={getattr(self, name)!r}" for name in Event.__slots__[1:] if getattr(self, name) is not None]
        return f"Event({self.payload!r}{''.join(beside)})"


class Limits:
    """What one poll may bring."""

    __slots__ = ("event_bytes", "poll_bytes", "events")

    event_bytes: int  # of one payload as JSON, and of a cursor
    poll_bytes: int  # of all payloads together, or of those between two checkpoints of a stream
    events: int  # how many of them

    def __init__(self, limits: Mapping[str, int]) -> None:
        self.event_bytes = limits.get("event_bytes", _LIMITS["event_bytes"])
        self.poll_bytes = limits.get("poll_bytes", _LIMITS["poll_bytes"])
        self.events = limits.get("events", _LIMITS["events"])


class Log:
    """Writes lines to the sensor's log: `ctx.log("...")`, `ctx.log.warning("...")`."""

    __slots__ = ("_send",)

    def __init__(self, send: Callable[[str, str], None]) -> None:
        self._send = send

    def __call__(self, message: object) -> None:
        self._send("info", str(message))

    def debug(self, message: object) -> None:
        self._send("debug", str(message))

    def info(self, message: object) -> None:
        self._send("info", str(message))

    def warning(self, message: object) -> None:
        self._send("warning", str(message))

    def error(self, message: object) -> None:
        self._send("error", str(message))


_UNSET: Any = object()


class Context:
    """What a poll is given, a new one each time."""

    config: dict[str, Any]  # the sensor's config, its secrets filled in
    limits: Limits
    log: Log

    def __init__(self, request: dict[str, Any], out: _Out) -> None:
        self.config = request.get("config") or {}
        self.limits = Limits(request.get("limits") or {})
        self.log = Log(self._log)
        self._request = request
        self._out = out
        self._stream = request.get("mode") == "stream"
        self._cursor = request.get("cursor")
        self._kept = _dumps(self._cursor)  # as the other side has it
        self._events = 0
        self._writes = False  # the code's events are written where it yields them
        self._over = False

    @property
    def cursor(self) -> Any:
        """Where the sensor got to: what an earlier poll set, None at first. Any JSON value; kept if the poll succeeds."""
        return self._cursor

    @cursor.setter
    def cursor(self, value: Any) -> None:
        self._encode_cursor(value)  # so that the traceback shows where a bad one is set
        self._cursor = value

    @property
    def deadline(self) -> datetime | None:
        """When the poll is stopped, as an aware datetime; None for a stream."""
        text = self._request.get("deadline")
        return _import("datetime").datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None

    def secret(self, name: str) -> str:
        """The value of a secret that the sensor's config mentions as ${secret:NAME}."""
        secrets = self._request.get("secrets") or {}
        if name not in secrets:
            raise LookupError(f"the sensor's config does not mention the secret {name!r}: write ${{secret:{name}}} into it")
        return secrets[name]

    def event(
        self,
        payload: Payload,
        key: str | None = None,
        trigger: str | None = None,
        occurred_at: datetime | None = None,
    ) -> Event:
        """An event to yield or to return, with more than its payload; see Event."""
        event = Event(payload, key, trigger, occurred_at)
        self._check_trigger("the event", trigger)
        return event

    def checkpoint(self, cursor: Any = _UNSET) -> None:
        """Says that the events so far are complete: they are kept with the cursor, whatever becomes of the poll.

        ctx.checkpoint(cursor) sets ctx.cursor, too.
        """
        if not self._writes:
            raise RuntimeError("ctx.checkpoint() in a poll that returns its events, which come after it: yield them instead")
        if cursor is not _UNSET:
            self.cursor = cursor
        text = self._encode_cursor(self._cursor)
        beside = b"" if text == self._kept else b',"cursor":' + text.encode()
        self._kept = text
        self._write(b'{"type":"checkpoint"%b}\n' % beside)
        self._out.flush()

    def more(self) -> None:
        """Asks for the next poll at once: there is more than this one brings."""
        self._send({"type": "more"})

    def next_after(self, seconds: float | timedelta) -> None:
        """Asks for the next poll so long after this one, in seconds or as a timedelta, instead of at the interval.

        What a server's Retry-After says can be handed on: less than 0.1 s counts as 0.1 s, more than a day as a day.
        """
        value = seconds.total_seconds() if hasattr(seconds, "total_seconds") else seconds
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
            raise ValueError(f"ctx.next_after({seconds!r}): it takes a number of seconds, or a timedelta")
        self._send({"type": "next", "after_seconds": min(max(value, 0.1), 86400)})

    def skip(self, reason: str) -> None:
        """Says why this poll finds nothing: `return ctx.skip("no new mail")`."""
        self._send({"type": "skip", "reason": _clip(str(reason))})

    # What the code's results and its end are written as.

    def _emit(self, item: Any) -> None:
        number = self._events = self._events + 1
        beside = b""
        if isinstance(item, Event):
            beside = self._beside(item, number)
            item = item.payload
        if not isinstance(item, dict):
            raise TypeError(f"event {number} is {_kind(item)}: yield a dict, or ctx.event(...)")
        text = _encode(f"event {number}", item)
        if len(text) > self.limits.event_bytes:
            raise ValueError(
                f"event {number} has {len(text)} bytes, more than {self.limits.event_bytes} (`limits.event_bytes`): "
                "split it, or put a link into it"
            )
        self._write(b'{"type":"event",%b"payload":%b}\n' % (beside, text.encode()))
        if self._stream:  # nobody knows when there is more to write
            self._out.flush()

    def _beside(self, event: Event, number: int) -> bytes:
        """What goes beside the payload. Its attributes may have been set since the event was made."""
        fields = []
        if event.key is not None:
            _check_key(event.key)
            fields.append('"key":' + _dumps(event.key) + ",")
        if event.trigger is not None:
            self._check_trigger(f"event {number}", event.trigger)
            fields.append('"trigger":' + _dumps(event.trigger) + ",")
        if event.occurred_at is not None:
            fields.append('"occurred_at":"' + _rfc3339(event.occurred_at) + '",')
        return "".join(fields).encode()

    def _check_trigger(self, what: str, trigger: str | None) -> None:
        declared = self._request.get("triggers")
        if trigger is not None and declared and trigger not in declared:
            raise ValueError(
                f"{what} is for the trigger {trigger!r}, which the sensor does not declare: its triggers are "
                + ", ".join(declared)
            )

    def _encode_cursor(self, value: Any) -> str:
        text = _encode("ctx.cursor", value)
        if len(text) > self.limits.event_bytes:
            raise ValueError(
                f"ctx.cursor has {len(text)} bytes, more than {self.limits.event_bytes} (`limits.event_bytes`): "
                "keep positions in it, not data"
            )
        return text

    def _log(self, level: str, message: str) -> None:
        if self._over or not self._out.ready():  # of a thread that the poll left behind, or of a fork
            print(f"{level}: {message}", file=sys.stderr)
            return
        self._send({"type": "log", "level": level, "message": _clip(message)})
        self._out.flush()

    def _send(self, message: dict[str, Any]) -> None:
        self._write(json.dumps(message).encode() + b"\n")

    def _write(self, line: bytes) -> None:
        if self._over:
            raise RuntimeError("this poll is over: its context is no good any more")
        self._out.write(line)

    def _done(self) -> None:
        text = self._encode_cursor(self._cursor)
        if text != self._kept:  # also when it was changed in place
            self._write(b'{"type":"cursor","cursor":%b}\n' % text.encode())
        self._write(b'{"type":"done"}\n')
        self._over = True
        self._out.flush()

    def _fail(self, error: BaseException) -> None:
        self._send({"type": "error", "message": _message(error), "traceback": _end(_traceback(error))})
        self._over = True
        self._out.flush()


def _kind(value: object) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"


def _clip(text: str) -> str:
    return text if len(text) <= _TEXT_LIMIT else f"{text[:_TEXT_LIMIT]}... ({len(text) - _TEXT_LIMIT} characters more)"


def _end(text: str) -> str:
    """The end of a text in whole lines: a part of one could be a part of a secret, which nobody would mask."""
    if len(text) <= _TEXT_LIMIT:
        return text
    return text[-_TEXT_LIMIT:].partition("\n")[2]


def _encode(what: str, value: Any) -> str:
    try:
        return _dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise type(error)(f"{what} is not JSON: {error}") from None


def _check_key(key: object) -> None:
    if not isinstance(key, str):
        raise TypeError(f"the event's key is {_kind(key)}: it has to be a string, such as str(key)")
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise ValueError(f"the event's key {key!r} is no text: it has half a character (a surrogate) in it, so hash it") from None
    if "\0" in key:
        raise ValueError(f"the event's key {key!r} has the character U+0000 in it: leave it out, or hash the key")
    if not 0 < size <= _KEY_LIMIT:
        raise ValueError(f"the event's key has {size} bytes: from 1 to {_KEY_LIMIT} are allowed; a longer one can be hashed")


def _rfc3339(when: Any) -> str:
    datetime = _import("datetime")
    if not isinstance(when, datetime.datetime):
        raise TypeError(f"the event's occurred_at is {_kind(when)}: it has to be a datetime")
    if when.tzinfo is None:
        raise ValueError("the event's occurred_at has no time zone: use datetime.now(timezone.utc) or .astimezone()")
    return when.astimezone(datetime.timezone.utc).replace(tzinfo=None).isoformat() + "Z"


# Errors, in words for the sensor's author


def _message(error: BaseException) -> str:
    name = type(error).__name__
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        file = error.filename[len(_root) + 1 :] if error.filename.startswith(_root + os.sep) else error.filename
        return _clip(f"{name}: {error.msg} ({file}, line {error.lineno}): {(error.text or '').strip()}")
    try:
        return _clip(f"{name}: {error}")
    except Exception:  # its own __str__ fails
        return name


def _traceback(error: BaseException) -> str:
    """The error's traceback from where the sensor's own code begins."""
    traceback = _import("traceback")
    report = traceback.TracebackException.from_exception(error)
    frames = [frame for frame in report.stack if frame.filename != __file__]
    while frames and not frames[0].filename.startswith(_root + os.sep):
        del frames[0]
    report.stack = traceback.StackSummary.from_list(frames)
    if frames:
        return "".join(report.format())
    return "".join(report.format_exception_only()) if isinstance(error, SyntaxError) else ""


# Running a poll

_root = os.getcwd()  # the pack's folder
_theirs: list[str] = []  # what the sensor's code adds to sys.path
_ours: dict[str, Any] = {}  # modules of Python's own that were imported late


def _import(name: str) -> Any:
    """Imports a module of Python's own late, and never one of the sensor's that has the same name."""
    if name in _ours:
        return _ours[name]
    found = sys.modules.get(name)
    file = getattr(found, "__file__", None) or ""
    shadowed = file.startswith(_root + os.sep) and not file.startswith(os.path.dirname(os.__file__) + os.sep)
    if shadowed:
        del sys.modules[name]
    path = sys.path[:]
    sys.path[:] = [entry for entry in path if entry not in _theirs]
    try:
        __import__(name)
        _ours[name] = sys.modules[name]
        return _ours[name]
    finally:
        sys.path[:] = path
        if shadowed and found is not None:
            sys.modules[name] = found


def _load(entrypoint: str) -> Poll:
    """Imports the sensor's file and returns its poll."""
    path = os.path.abspath(entrypoint)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"there is no file {entrypoint}: correct the sensor's `entrypoint` or add the file")
    from importlib.machinery import SourceFileLoader
    from importlib.util import module_from_spec, spec_from_loader

    _theirs[:] = [os.path.dirname(path), _root]
    sys.path[:0] = _theirs
    name = "__sensor__"  # none that the sensor may import
    loader = SourceFileLoader(name, path)
    spec = spec_from_loader(name, loader)
    assert spec is not None
    module = sys.modules[name] = module_from_spec(spec)
    loader.exec_module(module)
    poll = getattr(module, "poll", None)
    if not callable(poll):
        raise AttributeError(f"{entrypoint} has no poll: define `def poll(ctx):`")
    return poll


def _run(poll: Poll, ctx: Context) -> None:
    """Calls poll and writes its events."""
    code = getattr(poll, "__code__", None)
    alone = code is not None and code.co_argcount == 0 and not code.co_flags & 0x04  # 0x04: it takes *args
    result: Any = poll() if alone else poll(ctx)  # type: ignore
    if hasattr(result, "__aiter__") or hasattr(result, "__await__"):
        _import("asyncio").run(_each_async(result, ctx))
    else:
        _each(result, ctx)


def _each(result: Any, ctx: Context) -> None:
    """Writes what a poll returned: a list or another iterable of events, or None."""
    if result is None:
        return
    if isinstance(result, (dict, str, bytes, Event)) or not hasattr(result, "__iter__"):
        raise TypeError(f"poll returned a value {_kind(result)}: yield events, or return a list of them")
    ctx._writes = True
    for item in result:
        try:
            ctx._emit(item)
        except Exception as error:
            if hasattr(result, "throw"):  # so that the traceback shows the yield
                try:
                    result.throw(error)
                except StopIteration:
                    pass
            raise


async def _each_async(result: Any, ctx: Context) -> None:
    """The same for a coroutine or an async generator."""
    seconds = _before_deadline(ctx)
    if seconds is not None:
        _import("asyncio").get_running_loop().call_later(seconds, _show_wait, result)
    if not hasattr(result, "__aiter__"):
        return _each(await result, ctx)
    ctx._writes = True
    async for item in result:
        try:
            ctx._emit(item)
        except Exception as error:
            if hasattr(result, "athrow"):
                try:
                    await result.athrow(error)
                except StopAsyncIteration:
                    pass
            raise


def _before_deadline(ctx: Context) -> float | None:
    """When a poll that is still there probably hangs, in seconds from its start."""
    timeout = ctx._request.get("timeout_seconds")
    return max(timeout - 2, timeout / 2) if timeout else None


def _show_wait(waiting: Any) -> None:
    """Shows where a coroutine waits, which the stacks of threads do not."""
    print("The poll is close to its deadline and waits (most recent call last):", file=sys.stderr)
    while waiting is not None:
        kind = next((kind for kind in ("cr", "ag", "gi") if hasattr(waiting, kind + "_frame")), None)
        if kind is None:
            return
        frame = getattr(waiting, kind + "_frame")
        if frame is not None:
            print(f'  File "{frame.f_code.co_filename}", line {frame.f_lineno} in {frame.f_code.co_name}', file=sys.stderr)
        waiting = getattr(waiting, "gi_yieldfrom" if kind == "gi" else kind + "_await")


# In a worker


class _Pipe:
    """Gathers lines and writes them to a descriptor."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._pid = os.getpid()
        self._lock = RLock()
        self._pending = bytearray()

    def ready(self) -> bool:
        return self._pid == os.getpid()

    def write(self, line: bytes) -> None:
        with self._lock:
            self._pending += line
            if len(self._pending) >= _CHUNK:
                self.flush()

    def flush(self) -> None:
        with self._lock:
            pending, self._pending = self._pending, bytearray()
            while pending and self.ready():
                try:
                    del pending[: os.write(self._fd, pending)]
                except BlockingIOError:
                    _import("select").select([], [self._fd], [])

    def abandon(self) -> None:
        """For a fork of this process: what it has to say is not of the poll."""
        self._lock = RLock()
        if self._fd >= 0:  # else this is a fork of a fork, which may have a file of its own there
            os.close(self._fd)
            self._fd = -1


class _Alarm:
    """Leaves in the log where a poll hangs."""

    def __init__(self) -> None:
        self._at: float | None = None

    def set(self, seconds: float | None) -> None:
        if seconds is not None:
            self._at = monotonic() + seconds
            self.resume()

    def cancel(self) -> None:
        if self._at is not None:
            self._at = None
            faulthandler.cancel_dump_traceback_later()

    # A fork that has to end the alarm of this process would wait for ever.

    def pause(self) -> None:
        faulthandler.cancel_dump_traceback_later()

    def resume(self) -> None:
        if self._at is not None and self._at > monotonic():
            faulthandler.dump_traceback_later(self._at - monotonic(), file=2)

    def abandon(self) -> None:
        self._at = None


def _serve(entrypoint: str) -> int:
    """Answers requests until there are no more. A poll that fails is the last one."""
    os.set_inheritable(3, False)  # events are this process's alone
    out = _Pipe(3)
    alarm = _Alarm()
    os.register_at_fork(after_in_child=out.abandon)
    os.register_at_fork(before=alarm.pause, after_in_parent=alarm.resume, after_in_child=alarm.abandon)
    # The sensor's code and the programs that it starts read nothing that is not for them.
    requests = os.fdopen(os.dup(0), "rb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    spare = os.open(os.devnull, os.O_RDONLY)  # for what a report imports after the code opened too many files
    sys.argv[:] = [entrypoint]
    out.write(json.dumps({"type": "hello", "protocol": _PROTOCOL, "sdk": _SDK}).encode() + b"\n")
    out.flush()
    poll = None
    for line in requests:
        ctx = Context(json.loads(line), out)
        try:
            poll = _serve_one(entrypoint, poll, ctx, alarm)
        except BaseException as error:
            if not out.ready():
                raise  # in a fork
            try:
                os.close(spare)
            except OSError:  # the code did
                pass
            ctx._fail(error)
            return 1
        if not out.ready():
            return 0
    return 0


def _flush_prints() -> None:
    try:
        sys.stdout.flush()
    except (AttributeError, OSError, ValueError):  # the code closed it, or put something else in its place
        pass


def _serve_one(entrypoint: str, poll: Poll | None, ctx: Context, alarm: _Alarm) -> Poll:
    protocol = ctx._request.get("protocol")
    if protocol != _PROTOCOL:
        raise RuntimeError(f"the request is of version {protocol} of the protocol, this SDK ({_SDK}) speaks {_PROTOCOL}")
    alarm.set(_before_deadline(ctx))
    try:
        if poll is None:
            poll = _load(entrypoint)
        _run(poll, ctx)
        if ctx._out.ready():
            _flush_prints()
            ctx._done()
        return poll
    finally:
        alarm.cancel()


# Alone: in tests and by hand


class Result:
    """What a poll brought."""

    events: list[Event]  # with payloads as they go over the wire
    cursor: Any  # where the next poll starts
    skipped: str | None  # the reason that ctx.skip() was given
    more: bool
    next_after: float | None  # seconds
    log: list[tuple[str, str]]  # level and message

    def __init__(self, cursor: Any) -> None:
        self.events = []
        self.cursor = cursor
        self.skipped = None
        self.more = False
        self.next_after = None
        self.log = []

    @property
    def payloads(self) -> list[Payload]:
        """The payloads of the events."""
        return [event.payload for event in self.events]

    def __repr__(self) -> str:
        return f"Result({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"

    def _take(self, message: dict[str, Any], _line: str) -> None:
        kind = message["type"]
        if kind == "event":
            when = message.get("occurred_at")
            if when is not None:
                when = _import("datetime").datetime.fromisoformat(when.replace("Z", "+00:00"))
            self.events.append(Event(message["payload"], message.get("key"), message.get("trigger"), when))
        elif kind == "log":
            self.log.append((message["level"], message["message"]))
        elif kind == "skip":
            self.skipped = message["reason"]
        elif kind == "more":
            self.more = True
        elif kind == "next":
            self.next_after = message["after_seconds"]
        elif "cursor" in message:
            self.cursor = message["cursor"]


class _Enough(BaseException):
    """Ends a poll that brought what it was asked for."""


class _Alone:
    """Hands messages to a function, and ends the poll after so many events."""

    def __init__(self, take: Callable[[dict[str, Any], str], None], stop_after: int | None) -> None:
        self._take = take
        self._left = stop_after

    def ready(self) -> bool:
        return True

    def flush(self) -> None:
        pass

    def write(self, line: bytes) -> None:
        message = json.loads(line)
        event = message["type"] == "event"
        if event and self._left == 0:
            raise _Enough
        self._take(message, line.decode())
        if event and self._left is not None:
            self._left -= 1
        if message["type"] == "checkpoint" and self._left == 0:
            raise _Enough


def run_once(
    poll: Poll,
    config: Mapping[str, Any] | None = None,
    cursor: Any = None,
    secrets: Mapping[str, str] | None = None,
    *,
    triggers: Sequence[str] | None = None,
    mode: str = "poll",
    timeout: float = 60.0,
    stop_after: int | None = None,
) -> Result:
    """Runs one poll here and now, for tests: `run_once(poll, config={"folder": "/tmp"}).payloads`.

    What poll raises goes to the caller. ${secret:NAME} in config becomes secrets[NAME]. Without triggers, events may name
    any. The timeout makes ctx.deadline, nothing stops the poll. With stop_after=N the poll ends at its first checkpoint
    that follows N events, or before a further event: so a stream comes to an end.
    """
    result = Result(json.loads(_dumps(cursor)))
    request = _request(dict(config or {}), cursor, dict(secrets or {}).__getitem__, triggers, mode, timeout)
    request["secrets"].update(secrets or {})
    _run_alone(poll, Context(request, _Alone(result._take, stop_after)))
    return result


def _run_alone(poll: Poll, ctx: Context) -> None:
    try:
        _run(poll, ctx)
    except _Enough:
        pass
    ctx._done()


def _request(
    config: dict[str, Any],
    cursor: Any,
    secret: Callable[[str], str],
    triggers: Sequence[str] | None,
    mode: str,
    timeout: float,
) -> dict[str, Any]:
    """What a worker would ask."""
    if mode not in ("poll", "stream"):
        raise ValueError(f"no mode {mode!r}: there are poll and stream")
    secrets: dict[str, str] = {}
    request: dict[str, Any] = {
        "protocol": _PROTOCOL,
        "sensor": {"ref": "local.sensor"},
        "mode": mode,
        "config": _resolve(json.loads(_encode("config", config)), secret, secrets),
        "secrets": secrets,
        "cursor": json.loads(_encode("cursor", cursor)),
        "limits": _LIMITS,
        "triggers": list(triggers or []),
        "pack_dir": _root,
    }
    if mode == "poll":
        datetime = _import("datetime")
        deadline = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=timeout)
        request["deadline"] = deadline.isoformat(timespec="milliseconds")
    return request


def _resolve(value: Any, secret: Callable[[str], str], used: dict[str, str]) -> Any:
    """Fills in ${secret:NAME}; $${ stands for ${."""
    if isinstance(value, dict):
        return {key: _resolve(item, secret, used) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolve(item, secret, used) for item in value]
    if not isinstance(value, str) or "${" not in value:
        return value

    def fill(match: Any) -> str:
        if match[0] == "$${":
            return "${"
        name = match[1]
        if name is None:
            raise ValueError(f"{value!r} is no reference to a secret: write ${{secret:NAME}}, or $${{ for a plain ${{")
        try:
            used[name] = secret(name)
        except KeyError:
            raise LookupError(f"there is no secret {name!r}: set ATTUNE_SECRET_{name}, or hand it to run_once") from None
        return used[name]

    return _import("re").sub(r"\$\$\{|\$\{secret:([A-Za-z0-9_][A-Za-z0-9_.-]*)\}|\$\{[ \t]*(?i:secret)", fill, value)


def _run_file(arguments: list[str]) -> int:
    """Runs one poll of a file in this very process, so that breakpoints work."""
    global _root
    options = _parse(arguments)
    entrypoint = os.path.abspath(options.entrypoint)
    config = _json_option("--config", options.config)
    if not isinstance(config, dict):
        _misuse(f"--config is {_kind(config)}: give it a JSON object")
    cursor = _json_option("--cursor", options.cursor)
    _root = _pack_folder(entrypoint)
    os.chdir(_root)

    # As in a worker, what the code prints is its log.
    stdout = os.fdopen(os.dup(1), "w")
    sys.stdout.flush()
    sys.stdout.reconfigure(line_buffering=True)  # what is printed is in the log in the order of the rest of it
    os.dup2(2, 1)

    def show(message: dict[str, Any], line: str) -> None:
        if message["type"] == "log":
            print(f"{message['level']}: {message['message']}", file=sys.stderr)
        elif message["type"] != "done":
            print(line, end="", file=stdout, flush=True)

    def report(_kind: type, error: BaseException, _trace: object) -> None:
        sys.stderr.write(_traceback(error) or _message(error) + "\n")

    sys.excepthook = report
    sys.argv[:] = [entrypoint]
    environ = {name[len("ATTUNE_SECRET_") :]: value for name, value in os.environ.items() if name.startswith("ATTUNE_SECRET_")}
    request = _request(config, cursor, environ.__getitem__, options.trigger, options.mode, options.timeout)
    ctx = Context(request, _Alone(show, options.events))
    try:
        _run_alone(_load(entrypoint), ctx)
    except KeyboardInterrupt:
        if not ctx._stream:
            raise
        ctx._kept = ""  # the cursor may have been about to be shown
        ctx._done()
    except SystemExit as error:
        sys.stderr.write(_traceback(error) or _message(error) + "\n")
        return 1
    return 0


def _parse(arguments: list[str]) -> Any:
    parser = _import("argparse").ArgumentParser(
        prog="attune_sensor run",
        description="Runs one poll of a sensor without a worker. Messages go to stdout as JSON lines, the log to stderr.",
        epilog="${secret:NAME} in the config becomes the value of ATTUNE_SECRET_NAME.",
    )
    parser.add_argument("entrypoint", help="the sensor's file")
    parser.add_argument("--config", default="{}", metavar="JSON|@FILE", help="the sensor's config, default {}")
    parser.add_argument("--cursor", default="null", metavar="JSON|@FILE", help="where the poll starts, default null")
    parser.add_argument("--mode", default="poll", choices=["poll", "stream"])
    parser.add_argument("--trigger", action="append", metavar="REF", help="a trigger of the sensor; any if none is given")
    parser.add_argument("--timeout", type=float, default=60, metavar="SECONDS", help="makes ctx.deadline, stops nothing")
    parser.add_argument("--events", type=int, metavar="N", help="end at the first checkpoint after so many events")
    return parser.parse_args(arguments)


def _json_option(name: str, text: str) -> Any:
    try:
        if text.startswith("@"):
            with open(text[1:], encoding="utf-8") as file:
                text = file.read()
        return json.loads(text)
    except (OSError, ValueError) as error:
        _misuse(f"{name} {text}: {error}")


def _misuse(message: str) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(2)


def _pack_folder(entrypoint: str) -> str:
    """The folder of the pack.yaml above the file, or else the current one."""
    folder = os.path.dirname(entrypoint)
    while not os.path.exists(os.path.join(folder, "pack.yaml")):
        if folder == os.path.dirname(folder):
            return os.getcwd()
        folder = os.path.dirname(folder)
    return folder


def main() -> NoReturn:
    sys.modules["attune_sensor"] = sys.modules["__main__"]
    if len(sys.argv) == 3 and sys.argv[1] == "serve":
        sys.exit(_serve(sys.argv[2]))
    if len(sys.argv) > 1 and sys.argv[1] == "run":
        sys.exit(_run_file(sys.argv[2:]))
    _misuse("usage: attune_sensor run ENTRYPOINT [--help]")


if __name__ == "__main__":
    main()

import unittest
from datetime import datetime, timezone

from attune_sensor import Context, Event, Result, run_once


def poll(ctx: Context):
    ctx.log(f"from {ctx.cursor}")
    for number in range(ctx.cursor or 0, ctx.config["until"]):
        yield {"number": number, "pair": (number, number + 1)}
        ctx.cursor = number + 1


def talker(ctx: Context):
    ctx.next_after(30)
    ctx.more()
    return ctx.skip("nothing")


async def stream(ctx: Context):
    for number in range(10**9):
        when = datetime(2026, 1, 31, 9, 30, tzinfo=timezone.utc)
        yield ctx.event({"number": number}, key=str(number), trigger="a.b", occurred_at=when)
        ctx.checkpoint(number)


class SensorTest(unittest.TestCase):
    def test_events_cursor_and_log(self):
        result = run_once(poll, config={"until": 2})
        self.assertEqual(result.payloads, [{"number": 0, "pair": [0, 1]}, {"number": 1, "pair": [1, 2]}])
        self.assertEqual(result.events[0], Event({"number": 0, "pair": [0, 1]}))
        self.assertEqual(result.cursor, 2)
        self.assertEqual(result.log, [("info", "from None")])
        self.assertEqual(run_once(poll, config={"until": 3}, cursor=result.cursor).payloads, [{"number": 2, "pair": [2, 3]}])

    def test_what_a_poll_says_of_itself(self):
        result = run_once(talker, cursor=[7])
        self.assertIsInstance(result, Result)
        self.assertEqual((result.skipped, result.more, result.next_after), ("nothing", True, 30))
        self.assertEqual((result.events, result.cursor), ([], [7]))

    def test_secrets(self):
        seen = run_once(lambda ctx: [{**ctx.config, "other": ctx.secret("B")}], {"a": "${secret:A}"}, secrets={"A": "x", "B": "y"})
        self.assertEqual(seen.payloads, [{"a": "x", "other": "y"}])

    def test_errors(self):
        with self.assertRaisesRegex(KeyError, "until"):
            run_once(poll)
        with self.assertRaisesRegex(ValueError, "its triggers are a.c"):
            run_once(stream, triggers=["a.c"])
        with self.assertRaisesRegex(LookupError, "there is no secret 'A'"):
            run_once(poll, {"until": "${secret:A}"})

    def test_a_stream(self):
        result = run_once(stream, mode="stream", stop_after=3)
        self.assertEqual(result.payloads, [{"number": 0}, {"number": 1}, {"number": 2}])
        self.assertEqual(result.cursor, 2)
        event = result.events[2]
        self.assertEqual((event.key, event.trigger), ("2", "a.b"))
        self.assertEqual(event.occurred_at, datetime(2026, 1, 31, 9, 30, tzinfo=timezone.utc))


if __name__ == "__main__":
    unittest.main()

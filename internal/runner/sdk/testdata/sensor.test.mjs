import assert from "node:assert/strict";
import test from "node:test";

import { Event, runOnce } from "attune_sensor";

/** @type {import("attune_sensor").Poll<{ until: number }, number>} */
function* poll(ctx) {
  ctx.log(`from ${ctx.cursor}`);
  for (let number = ctx.cursor ?? 0; number < ctx.config.until; number++) {
    yield { number, gone: undefined };
    ctx.cursor = number + 1;
  }
}

/** @type {import("attune_sensor").Poll} */
function talker(ctx) {
  if (ctx.config.until === undefined && ctx.cursor === null) throw new RangeError("no until");
  ctx.nextAfter(30);
  ctx.more();
  return ctx.skip("nothing");
}

/** @type {import("attune_sensor").Poll} */
async function* stream(ctx) {
  for (let number = 0; ; number++) {
    yield ctx.event({ number }, { key: String(number), trigger: "a.b", occurredAt: new Date(0) });
    ctx.checkpoint(number);
  }
}

test("events, cursor and log", async () => {
  const result = await runOnce(poll, { config: { until: 2 } });
  assert.deepEqual(result.payloads, [{ number: 0 }, { number: 1 }]);
  assert.deepEqual(result.events[0], new Event({ number: 0 }));
  assert.equal(result.cursor, 2);
  assert.deepEqual(result.log, [{ level: "info", message: "from null" }]);
  const next = await runOnce(poll, { config: { until: 3 }, cursor: result.cursor });
  assert.deepEqual(next.payloads, [{ number: 2 }]);
});

test("what a poll says of itself", async () => {
  const { events, cursor, skipped, more, nextAfter } = await runOnce(talker, { cursor: [7] });
  assert.deepEqual([skipped, more, nextAfter], ["nothing", true, 30]);
  assert.deepEqual([events, cursor], [[], [7]]);
});

test("secrets", async () => {
  const secrets = { A: "x", B: "y" };
  const seen = await runOnce((ctx) => [{ ...ctx.config, other: ctx.secret("B") }], { config: { a: "${secret:A}" }, secrets });
  assert.deepEqual(seen.payloads, [{ a: "x", other: "y" }]);
});

test("errors", async () => {
  await assert.rejects(runOnce(talker), /no until/);
  await assert.rejects(runOnce(stream, { triggers: ["a.c"] }), /its triggers are a.c/);
  await assert.rejects(runOnce(poll, { config: { until: "${secret:A}" } }), /there is no secret "A"/);
});

test("a stream", async () => {
  const result = await runOnce(stream, { mode: "stream", stopAfter: 3 });
  assert.deepEqual(result.payloads, [{ number: 0 }, { number: 1 }, { number: 2 }]);
  assert.equal(result.cursor, 2);
  const { key, trigger, occurredAt } = result.events[2];
  assert.deepEqual([key, trigger, occurredAt], ["2", "a.b", new Date(0)]);
});

// What runs a Node.js sensor: `node attune_sensor.mjs ENTRYPOINT` reads a poll's request on stdin, calls the
// entrypoint's poll(ctx) and writes what it yields as messages on file descriptor 3. Node.js 18 or newer, no dependencies.
import { readFileSync, writeSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const CHUNK = 64 << 10; // characters gathered for one write
const TEXT_LIMIT = 16 << 10; // of an error's text

let pending = "";

function send(text) {
  pending += text + "\n";
  if (pending.length >= CHUNK) flush();
}

function flush() {
  let bytes = Buffer.from(pending);
  pending = "";
  while (bytes.length > 0) bytes = bytes.subarray(writeSync(3, bytes));
}

function makeLog() {
  const line = (level) => (message) => {
    send(JSON.stringify({ type: "log", level, message: String(message) }));
    flush();
  };
  return Object.assign(line("info"), {
    debug: line("debug"),
    info: line("info"),
    warning: line("warning"),
    error: line("error"),
  });
}

function encode(what, value) {
  try {
    return JSON.stringify(value);
  } catch (error) {
    throw new TypeError(`${what} is not JSON: ${error.message}`);
  }
}

/** The poll's context; attune_sensor.d.ts says what is in it. */
function makeContext(request) {
  return {
    config: request.config,
    cursor: request.cursor,
    deadline: new Date(request.deadline),
    log: makeLog(),
    skip(reason) {
      send(JSON.stringify({ type: "skip", reason: String(reason) }));
    },
  };
}

let events = 0;

function emit(payload) {
  events += 1;
  const text = encode(`event ${events}`, payload);
  if (text?.[0] !== "{") {
    const kind = payload === null ? "null" : Array.isArray(payload) ? "an array" : `a ${typeof payload}`;
    throw new TypeError(`event ${events} is ${kind}: yield an object`);
  }
  send(`{"type":"event","payload":${text}}`);
}

/** Emits what a poll returned: events from an async or a plain iterable, or nothing. */
async function emitAll(result) {
  if (typeof result?.[Symbol.asyncIterator] === "function") {
    for await (const payload of result) emit(payload);
    return;
  }
  result = await result;
  if (result === undefined || result === null) return;
  if (typeof result === "string" || typeof result[Symbol.iterator] !== "function") {
    throw new TypeError(`poll returned ${typeof result}: yield events, or return an array of them`);
  }
  for (const payload of result) emit(payload);
}

async function load(entrypoint) {
  const module = await import(pathToFileURL(resolve(entrypoint)).href);
  const poll = module.poll ?? module.default?.poll;
  if (typeof poll !== "function") {
    throw new TypeError(`${entrypoint} exports no poll: write \`export async function* poll(ctx) {\``);
  }
  return poll;
}

/** The stack as far as it is the sensor's. */
function traceback(error) {
  const lines = String(error?.stack ?? "").split("\n");
  const theirs = lines.filter((line) => !line.includes(import.meta.url) && !/^ +at .*\bnode:/.test(line));
  return theirs.length > 1 ? theirs.join("\n") : "";
}

let failed = false;

function fail(error) {
  if (failed) return;
  failed = true;
  let message = error instanceof Error ? `${error.name}: ${error.message}` : `${error} was thrown`;
  if (error instanceof SyntaxError) message += " (the log says where)";
  send(JSON.stringify({ type: "error", message: message.slice(0, TEXT_LIMIT), traceback: traceback(error).slice(0, TEXT_LIMIT) }));
  flush();
  if (!(error instanceof SyntaxError)) process.exit(1);
  // Only Node.js itself can print where a syntax error is: it does when nobody catches it.
  process.removeListener("uncaughtException", fail);
  setImmediate(() => {
    throw error;
  });
}

process.on("uncaughtException", fail);
process.on("beforeExit", () => fail(new Error("poll waits for a promise that nothing is left to settle")));

const request = JSON.parse(readFileSync(0, "utf8"));
const ctx = makeContext(request);
const firstCursor = JSON.stringify(ctx.cursor);
try {
  const poll = await load(process.argv[2]);
  await emitAll(poll(ctx));
  const cursor = encode("ctx.cursor", ctx.cursor);
  if (cursor === undefined) throw new TypeError("ctx.cursor is not JSON: set it to null to begin again");
  if (cursor !== firstCursor) send(`{"type":"cursor","cursor":${cursor}}`);
  send('{"type":"done"}');
  flush();
  process.exit(0); // whatever timers and sockets the sensor left open
} catch (error) {
  fail(error);
}

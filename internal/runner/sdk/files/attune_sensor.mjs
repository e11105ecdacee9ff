// What runs a Node.js sensor. Node.js 18.3 or newer, no dependencies.
//
//     node attune_sensor.mjs run code/release.mjs --config '{"url": "..."}'    one poll, here and now
//     node attune_sensor.mjs serve code/release.mjs                            what a worker does, see sensor-protocol.md
//
// A test of a sensor imports runOnce. attune_sensor.d.mts has the types, and says what everything is for.
import { closeSync, existsSync, openSync, read, readFileSync, realpathSync, statSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const PROTOCOL = 1;
const SDK = "nodejs/1";
const TEXT_LIMIT = 16 << 10; // characters of an error's text, of its stack, and of a line for the log
const KEY_LIMIT = 1024; // bytes
const CHUNK = 64 << 10; // characters gathered for one write
const LIMITS = { event_bytes: 1 << 20, poll_bytes: 64 << 20, events: 10_000 };

// What a sensor's code sees

const isEvent = Symbol.for("attune_sensor.Event"); // also that of another copy of this file

export class Event {
  constructor(payload, { key = null, trigger = null, occurredAt = null } = {}) {
    if (!isPayload(payload)) throw new TypeError(`the event's payload is ${kind(payload)}: it has to be an object`);
    if (key !== null) checkKey(key);
    if (trigger !== null && typeof trigger !== "string") {
      throw new TypeError(`the event's trigger is ${kind(trigger)}: it has to be a string such as "pack.name"`);
    }
    if (occurredAt !== null) rfc3339(occurredAt);
    Object.assign(this, { payload, key, trigger, occurredAt });
  }

  get [isEvent]() {
    return true;
  }
}

/** The context of a poll. Its functions are its own, so that `({ config, log }) =>` works. */
class Context {
  #request;
  #out;
  #cursor;
  #kept; // the cursor as the other side has it
  #events = 0;
  #writes = false; // the code's events are written where it yields them
  #over = false;

  constructor(request, out) {
    this.#request = request;
    this.#out = out;
    this.#cursor = request.cursor ?? null;
    this.#kept = JSON.stringify(this.#cursor);
    const limits = { ...LIMITS, ...request.limits };
    this.config = request.config ?? {};
    this.deadline = request.deadline ? new Date(request.deadline) : null;
    this.limits = { eventBytes: limits.event_bytes, pollBytes: limits.poll_bytes, events: limits.events };
    this.log = Object.assign(this.#logger("info"), {
      debug: this.#logger("debug"),
      info: this.#logger("info"),
      warning: this.#logger("warning"),
      error: this.#logger("error"),
    });
  }

  get cursor() {
    return this.#cursor;
  }

  set cursor(value) {
    this.#encodeCursor(value); // so that the stack shows where a bad one is set
    this.#cursor = value;
  }

  secret = (name) => {
    const secrets = this.#request.secrets ?? {};
    if (!Object.hasOwn(secrets, name)) {
      throw new Error(`the sensor's config does not mention the secret "${name}": write \${secret:${name}} into it`);
    }
    return secrets[name];
  };

  event = (payload, beside) => {
    const event = new Event(payload, beside);
    this.#checkTrigger("the event", event.trigger);
    return event;
  };

  checkpoint = (cursor) => {
    if (!this.#writes) {
      throw new Error("ctx.checkpoint() in a poll that returns its events, which come after it: yield them instead");
    }
    if (cursor !== undefined) this.cursor = cursor;
    const text = this.#encodeCursor(this.#cursor);
    const beside = text === this.#kept ? "" : `,"cursor":${text}`;
    this.#kept = text;
    this.#write(`{"type":"checkpoint"${beside}}`);
    this.#out.flush();
  };

  more = () => this.#send({ type: "more" });

  nextAfter = (seconds) => {
    if (typeof seconds !== "number" || !(seconds >= 0)) {
      throw new TypeError(`ctx.nextAfter(${String(seconds)}): it takes a number of seconds`);
    }
    this.#send({ type: "next", after_seconds: Math.min(Math.max(seconds, 0.1), 86400) });
  };

  skip = (reason) => this.#send({ type: "skip", reason: clip(String(reason)) });

  #logger(level) {
    return (message) => {
      if (this.#over) {
        process.stderr.write(`${level}: ${message}\n`); // of something that the poll left behind
        return;
      }
      this.#send({ type: "log", level, message: clip(String(message)) });
      this.#out.flush();
    };
  }

  #send(message) {
    this.#write(JSON.stringify(message));
  }

  #write(line) {
    if (this.#over) throw new Error("this poll is over: its context is no good any more");
    this.#out.write(line);
  }

  #emit(item) {
    const number = ++this.#events;
    let beside = "";
    if (item?.[isEvent]) {
      beside = this.#beside(item, number);
      item = item.payload;
    }
    if (!isPayload(item)) throw new TypeError(`event ${number} is ${kind(item)}: yield an object, or ctx.event(...)`);
    const text = encode(`event ${number}`, item);
    if (text?.[0] !== "{") throw new TypeError(`event ${number} is not an object as JSON: ${text?.slice(0, 100)}`);
    if (longer(text, this.limits.eventBytes)) {
      throw new RangeError(
        `event ${number} has ${Buffer.byteLength(text)} bytes, more than ${this.limits.eventBytes} (\`limits.event_bytes\`): ` +
          "split it, or put a link into it",
      );
    }
    this.#write(`{"type":"event",${beside}"payload":${text}}`);
    if (this.#request.mode === "stream") this.#out.flush(); // nobody knows when there is more to write
  }

  /** What goes beside the payload. It may have been set since the event was made. */
  #beside({ key, trigger, occurredAt }, number) {
    let fields = "";
    if (key !== null) {
      checkKey(key);
      fields += `"key":${JSON.stringify(key)},`;
    }
    if (trigger !== null) {
      this.#checkTrigger(`event ${number}`, trigger);
      fields += `"trigger":${JSON.stringify(trigger)},`;
    }
    if (occurredAt !== null) fields += `"occurred_at":"${rfc3339(occurredAt)}",`;
    return fields;
  }

  #checkTrigger(what, trigger) {
    const declared = this.#request.triggers ?? [];
    if (trigger !== null && declared.length > 0 && !declared.includes(trigger)) {
      throw new Error(
        `${what} is for the trigger "${trigger}", which the sensor does not declare: its triggers are ${declared.join(", ")}`,
      );
    }
  }

  #encodeCursor(value) {
    const text = encode("ctx.cursor", value);
    if (text === undefined) throw new TypeError(`ctx.cursor is ${kind(value)}, which is not JSON: set it to null to begin again`);
    if (longer(text, this.limits.eventBytes)) {
      throw new RangeError(
        `ctx.cursor has ${Buffer.byteLength(text)} bytes, more than ${this.limits.eventBytes} (\`limits.event_bytes\`): ` +
          "keep positions in it, not data",
      );
    }
    return text;
  }

  // For this file alone: static, so that the sensor's code doesn't see them.

  /** Calls poll and writes its events: from an async or a plain iterable, or none. */
  static async run(poll, ctx) {
    let result = poll(ctx);
    if (typeof result?.[Symbol.asyncIterator] === "function") {
      ctx.#writes = true;
      for await (const item of result) ctx.#emit(item);
      return;
    }
    result = await result;
    if (result === undefined || result === null) return;
    if (typeof result === "string" || typeof result[Symbol.iterator] !== "function") {
      throw new TypeError(`poll returned ${kind(result)}: yield events, or return an array of them`);
    }
    ctx.#writes = true;
    for (const item of result) ctx.#emit(item);
  }

  static done(ctx) {
    const text = ctx.#encodeCursor(ctx.#cursor);
    if (text !== ctx.#kept) ctx.#write(`{"type":"cursor","cursor":${text}}`); // also when it was changed in place
    ctx.#write('{"type":"done"}');
    ctx.#over = true;
    ctx.#out.flush();
  }

  static fail(ctx, error) {
    ctx.#send({ type: "error", message: describe(error), traceback: beginning(stack(error)) });
    ctx.#over = true;
    ctx.#out.flush();
  }
}

function isPayload(value) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return typeof value.then !== "function" && !(value instanceof Map) && !(value instanceof Set); // {} as JSON
}

function kind(value) {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "an array";
  if (typeof value?.then === "function") return "a promise that nobody awaits";
  if (typeof value !== "object") return `a ${typeof value}`;
  const name = value.constructor?.name ?? "Object";
  return name === "Object" ? "an object" : `a ${name}`;
}

function clip(text) {
  return text.length <= TEXT_LIMIT ? text : `${text.slice(0, TEXT_LIMIT)}... (${text.length - TEXT_LIMIT} characters more)`;
}

/** The beginning of a text in whole lines: a part of one could be a part of a secret, which nobody would mask. */
function beginning(text) {
  return text.length <= TEXT_LIMIT ? text : text.slice(0, text.slice(0, TEXT_LIMIT).lastIndexOf("\n") + 1);
}

function encode(what, value) {
  try {
    return JSON.stringify(value);
  } catch (error) {
    throw new TypeError(`${what} is not JSON: ${error.message}`);
  }
}

/** Whether the text has more bytes; most texts are so short that nobody has to count. */
function longer(text, bytes) {
  return text.length * 3 > bytes && Buffer.byteLength(text) > bytes;
}

function checkKey(key) {
  if (typeof key !== "string") throw new TypeError(`the event's key is ${kind(key)}: it has to be a string, such as String(key)`);
  if (/\p{Surrogate}/u.test(key)) throw new RangeError("the event's key is no text: it has half a character (a surrogate) in it, so hash it");
  if (key.includes("\0")) throw new RangeError("the event's key has the character U+0000 in it: leave it out, or hash the key");
  const size = Buffer.byteLength(key);
  if (size < 1 || size > KEY_LIMIT) {
    throw new RangeError(`the event's key has ${size} bytes: from 1 to ${KEY_LIMIT} are allowed; a longer one can be hashed`);
  }
}

function rfc3339(when) {
  if (!(when instanceof Date)) throw new TypeError(`the event's occurredAt is ${kind(when)}: it has to be a Date`);
  const year = when.getUTCFullYear();
  if (!(year >= 0 && year <= 9999)) throw new RangeError("the event's occurredAt is an invalid Date");
  return when.toISOString();
}

// Errors, in words for the sensor's author

const packFolder = { path: process.cwd() };

function describe(error) {
  let text = error instanceof Error ? `${error.name}: ${error.message}` : `${show(error)} was thrown`;
  if (error?.where) text += ` (${error.where})`;
  // What went wrong with a request is only in its cause.
  for (let cause = error?.cause, depth = 0; cause !== undefined && depth < 3; cause = cause?.cause, depth++) {
    text += `: ${cause instanceof Error ? cause.message || cause.code || cause.name : show(cause)}`;
  }
  return clip(text);
}

function show(value) {
  try {
    return typeof value === "object" ? JSON.stringify(value) : String(value);
  } catch {
    return `a value (${typeof value})`;
  }
}

/** The error's stack as far as it is the sensor's. */
function stack(error) {
  const lines = String(error?.stack ?? "").split("\n");
  const theirs = lines.filter((line) => !line.includes(import.meta.url) && !/^ +at .*\bnode:/.test(line));
  return theirs.length > 1 ? theirs.join("\n") : "";
}

const WHERE = /^(.+):(\d+)\n(.*)\n/; // the text is empty where a file ends too early

/**
 * Adds to a syntax error where it is, which import() does not always say. One that running code threw, such as
 * JSON.parse, has a stack that says it.
 */
function locate(error, entrypoint) {
  if (!(error instanceof SyntaxError) || error.where) return error;
  if (!WHERE.test(error.stack)) {
    if (stack(error)) return error;
    error.stack = checkSyntax(entrypoint) ?? error.stack;
  }
  const found = WHERE.exec(error.stack);
  if (!found) return Object.assign(error, { where: "in a file that it imports" });
  const [, place, line, text] = found;
  const file = place.startsWith("file:") ? fileURLToPath(place) : place;
  const inside = relative(packFolder.path, file);
  const quoted = text.trim() && `: ${text.trim()}`;
  return Object.assign(error, { where: `${inside.startsWith("..") ? file : inside}, line ${line}${quoted}` });
}

/** What Node.js says of the first file with a syntax error, from the entrypoint on along its imports. */
function checkSyntax(entrypoint) {
  const { spawnSync } = createRequire(import.meta.url)("node:child_process");
  const files = [resolve(entrypoint)];
  for (let at = 0; at < files.length && at < 50; at++) {
    const { stderr } = spawnSync(process.execPath, ["--check", files[at]], { encoding: "utf8" });
    if (WHERE.test(stderr)) return stderr.replace(/\n+Node\.js v[\s\S]*$/, "");
    for (const [, name] of readFileSync(files[at], "utf8").matchAll(/\b(?:from|import)[\s(]*["'](\.[^"']+\.[cm]?js)["']/g)) {
      const file = resolve(dirname(files[at]), name);
      if (existsSync(file) && !files.includes(file)) files.push(file);
    }
  }
  return undefined;
}

// Running a poll

/** Imports the sensor's file and returns its poll. */
async function load(entrypoint) {
  const path = resolve(entrypoint);
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) {
    throw new Error(`there is no file ${entrypoint}: correct the sensor's \`entrypoint\` or add the file`);
  }
  const module = await import(pathToFileURL(path).href);
  const poll = module.poll ?? module.default?.poll;
  if (typeof poll !== "function") {
    throw new TypeError(`${entrypoint} exports no poll: write \`export async function* poll(ctx) {\``);
  }
  return poll;
}

const UNSETTLED = "poll waits for a promise that nothing is left to settle";

// In a worker

/** Gathers lines and writes them to a descriptor. */
class Pipe {
  #fd;
  #pending = "";

  constructor(fd) {
    this.#fd = fd;
  }

  write(line) {
    this.#pending += line + "\n";
    if (this.#pending.length >= CHUNK) this.flush();
  }

  flush() {
    let bytes = Buffer.from(this.#pending);
    this.#pending = "";
    while (bytes.length > 0) {
      try {
        bytes = bytes.subarray(writeSync(this.#fd, bytes));
      } catch (error) {
        if (error.code !== "EAGAIN") throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1); // the reader is slow: a millisecond
      }
    }
  }
}

/**
 * Yields the lines of a descriptor. It reads only when it is asked for a line, so that during a poll nothing but the
 * sensor's own code keeps the process busy.
 */
async function* readLines(fd) {
  const chunk = Buffer.alloc(CHUNK);
  let parts = [];
  for (;;) {
    const size = await new Promise((done, failed) => {
      read(fd, chunk, 0, chunk.length, null, (error, count) => (error ? failed(error) : done(count)));
    });
    if (size === 0) return;
    let bytes = Buffer.from(chunk.subarray(0, size));
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10)) {
      yield Buffer.concat([...parts, bytes.subarray(0, end)]).toString();
      parts = [];
      bytes = bytes.subarray(end + 1);
    }
    parts.push(bytes);
  }
}

/** Moves stdin away, so that the sensor's code and the programs that it starts read nothing that is not for them. */
function takeStdin() {
  let fd;
  try {
    fd = openSync("/proc/self/fd/0", "r");
  } catch {
    return 0; // it is no pipe, or there is no /proc
  }
  closeSync(0);
  openSync("/dev/null", "r"); // the lowest number that is free
  return fd;
}

/** Answers requests until there are no more. A poll that fails is the last one. */
async function serve(entrypoint) {
  const out = new Pipe(3);
  const requests = readLines(takeStdin());
  let ctx; // of the running poll

  const fail = (error) => {
    if (ctx === undefined) {
      console.error(error);
      process.exit(1);
    }
    Context.fail(ctx, locate(error, entrypoint));
    process.exit(1);
  };
  process.on("uncaughtException", fail);
  process.on("beforeExit", () => ctx && fail(new Error(UNSETTLED)));
  process.argv.splice(1, Infinity, resolve(entrypoint));

  out.write(JSON.stringify({ type: "hello", protocol: PROTOCOL, sdk: SDK }));
  out.flush();
  let poll;
  for await (const line of requests) {
    const request = JSON.parse(line);
    ctx = new Context(request, out);
    const alarm = alarmBeforeDeadline(request.timeout_seconds);
    try {
      if (request.protocol !== PROTOCOL) {
        throw new Error(`the request is of version ${request.protocol} of the protocol, this SDK (${SDK}) speaks ${PROTOCOL}`);
      }
      poll ??= await load(entrypoint);
      await Context.run(poll, ctx);
      Context.done(ctx);
      ctx = undefined;
    } catch (error) {
      fail(error);
      return;
    } finally {
      clearTimeout(alarm);
    }
  }
  process.exit(0); // whatever timers and sockets the sensor left open
}

/** A poll that hangs leaves in its log what it waits for. */
function alarmBeforeDeadline(timeout) {
  if (!timeout) return undefined;
  return setTimeout(() => {
    const active = process.getActiveResourcesInfo?.() ?? [];
    console.error(`The poll is close to its deadline and waits for: ${active.join(", ") || "nothing"}`);
  }, Math.max(timeout - 2, timeout / 2) * 1000).unref();
}

// Alone: in tests and by hand

class Enough extends Error {}

/** Hands messages to a function, and ends the poll after so many events. */
class Alone {
  #take;
  #left;

  constructor(take, stopAfter = Infinity) {
    this.#take = take;
    this.#left = stopAfter;
  }

  flush() {}

  write(line) {
    const message = JSON.parse(line);
    if (message.type === "event" && this.#left-- <= 0) throw new Enough("stopAfter");
    this.#take(message, line);
    if (message.type === "checkpoint" && this.#left <= 0) throw new Enough("stopAfter");
  }
}

async function runAlone(poll, ctx) {
  try {
    await Context.run(poll, ctx);
  } catch (error) {
    if (!(error instanceof Enough)) throw error;
  }
  Context.done(ctx);
}

export async function runOnce(poll, options = {}) {
  const { config = {}, cursor = null, secrets = {}, triggers = [], mode = "poll", timeout = 60, stopAfter } = options;
  const result = { events: [], cursor: null, skipped: null, more: false, nextAfter: null, log: [] };
  Object.defineProperty(result, "payloads", { get: () => result.events.map((event) => event.payload) });
  const request = makeRequest({ config, cursor, triggers, mode, timeout }, (name) => secrets[name]);
  Object.assign(request.secrets, secrets);
  result.cursor = request.cursor;
  await runAlone(poll, new Context(request, new Alone((message) => collect(result, message), stopAfter)));
  return result;
}

function collect(result, message) {
  switch (message.type) {
    case "event": {
      const { payload, key, trigger, occurred_at } = message;
      result.events.push(new Event(payload, { key, trigger, occurredAt: occurred_at && new Date(occurred_at) }));
      break;
    }
    case "log":
      result.log.push({ level: message.level, message: message.message });
      break;
    case "skip":
      result.skipped = message.reason;
      break;
    case "more":
      result.more = true;
      break;
    case "next":
      result.nextAfter = message.after_seconds;
      break;
    default:
      if ("cursor" in message) result.cursor = message.cursor;
  }
}

/** What a worker would ask. */
function makeRequest({ config, cursor, triggers, mode, timeout }, secret) {
  if (mode !== "poll" && mode !== "stream") throw new Misuse(`no mode "${mode}": there are poll and stream`);
  const secrets = {};
  const request = {
    protocol: PROTOCOL,
    sensor: { ref: "local.sensor" },
    mode,
    config: fillIn(JSON.parse(encode("config", config)), secret, secrets),
    secrets,
    cursor: JSON.parse(encode("cursor", cursor)),
    limits: LIMITS,
    triggers: [...triggers],
    pack_dir: packFolder.path,
  };
  if (mode === "poll") request.deadline = new Date(Date.now() + timeout * 1000).toISOString();
  return request;
}

const REFERENCE = /\$\$\{|\$\{secret:([A-Za-z0-9_][A-Za-z0-9_.-]*)\}|\$\{[ \t]*[Ss][Ee][Cc][Rr][Ee][Tt]/g;

/** Fills in ${secret:NAME}; $${ stands for ${. */
function fillIn(value, secret, used) {
  if (Array.isArray(value)) return value.map((item) => fillIn(item, secret, used));
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fillIn(item, secret, used)]));
  }
  if (typeof value !== "string") return value;
  return value.replace(REFERENCE, (text, name) => {
    if (text === "$${") return "${";
    if (name === undefined) {
      throw new Error(`"${value}" is no reference to a secret: write \${secret:NAME}, or $\${ for a plain \${`);
    }
    used[name] = secret(name);
    if (used[name] === undefined) throw new Error(`there is no secret "${name}": set ATTUNE_SECRET_${name}, or hand it to runOnce`);
    return used[name];
  });
}

class Misuse extends Error {}

const USAGE = `usage: attune_sensor.mjs run ENTRYPOINT [options]

Runs one poll of a sensor without a worker. Messages go to stdout as JSON lines, the log to stderr.

  --config JSON|@FILE   the sensor's config, default {}; \${secret:NAME} in it becomes the value of ATTUNE_SECRET_NAME
  --cursor JSON|@FILE   where the poll starts, default null
  --mode poll|stream    default poll
  --trigger REF         a trigger of the sensor, once for each; any if none is given
  --timeout SECONDS     makes ctx.deadline, stops nothing; default 60
  --events N            end at the first checkpoint after so many events`;

/** Runs one poll of a file in this very process, so that breakpoints work. */
async function runFile(args) {
  const { parseArgs } = await import("node:util");
  const option = { type: "string" };
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      help: { type: "boolean" },
      config: { ...option, default: "{}" },
      cursor: { ...option, default: "null" },
      mode: { ...option, default: "poll" },
      trigger: { ...option, multiple: true, default: [] },
      timeout: { ...option, default: "60" },
      events: option,
    },
  });
  if (values.help) return console.log(USAGE);
  if (positionals.length !== 1) throw new Misuse(USAGE);
  const entrypoint = resolve(positionals[0]);
  const config = jsonOption("--config", values.config);
  if (!isPayload(config)) throw new Misuse(`--config is ${kind(config)}: give it a JSON object`);
  const cursor = jsonOption("--cursor", values.cursor);
  packFolder.path = findPack(entrypoint);
  process.chdir(packFolder.path);
  process.argv.splice(1, Infinity, entrypoint);

  // As in a worker, what the code prints is its log.
  process.stdout.write = process.stderr.write.bind(process.stderr);
  const showMessage = (message, line) => {
    if (message.type === "log") process.stderr.write(`${message.level}: ${message.message}\n`);
    else if (message.type !== "done") writeSync(1, line + "\n");
  };
  const { mode, trigger: triggers } = values;
  const request = makeRequest(
    { config, cursor, triggers, mode, timeout: Number(values.timeout) },
    (name) => process.env[`ATTUNE_SECRET_${name}`],
  );
  const ctx = new Context(request, new Alone(showMessage, values.events && Number(values.events)));
  const failed = (error) => giveUp(locate(error, entrypoint));
  process.on("beforeExit", () => failed(new Error(UNSETTLED)));
  process.on("uncaughtException", failed);
  if (mode === "stream") {
    process.on("SIGINT", () => {
      Context.done(ctx);
      process.exit(0);
    });
  }
  try {
    await runAlone(await load(entrypoint), ctx);
    process.exit(0); // whatever timers and sockets the sensor left open
  } catch (error) {
    failed(error);
  }
}

function jsonOption(name, text) {
  try {
    return JSON.parse(text.startsWith("@") ? readFileSync(text.slice(1), "utf8") : text);
  } catch (error) {
    throw new Misuse(`${name} ${text}: ${error.message}`);
  }
}

/** The folder of the pack.yaml above the file, or else the current one. */
function findPack(entrypoint) {
  for (let folder = dirname(entrypoint); ; folder = dirname(folder)) {
    if (existsSync(join(folder, "pack.yaml"))) return folder;
    if (folder === dirname(folder)) return process.cwd();
  }
}

function giveUp(error) {
  const trace = stack(error);
  process.stderr.write(`${describe(error)}\n${trace && `\n${trace}\n`}`);
  process.exit(1);
}

async function main([command, ...args]) {
  if (command === "serve" && args.length === 1) return serve(args[0]);
  try {
    if (command !== "run") throw new Misuse(USAGE);
    await runFile(args);
  } catch (error) {
    if (!(error instanceof Misuse) && !error.code?.startsWith("ERR_PARSE_ARGS")) giveUp(error);
    process.stderr.write(`${error.message}\n`);
    process.exit(2);
  }
}

if (process.argv[1] && existsSync(process.argv[1]) && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await main(process.argv.slice(2));
}

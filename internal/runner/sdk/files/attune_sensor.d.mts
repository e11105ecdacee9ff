// Types for Node.js sensors. In JavaScript: /** @type {import("attune_sensor").Poll} */ before `export const poll`;
// in TypeScript: import type { Context } from "attune_sensor". A sensor's file needs nothing else of it.

/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** What an event says: an object that becomes JSON. */
export type Payload = { [key: string]: unknown };

/** What goes beside a payload. */
export interface Beside {
  /** Later events of the sensor with the same key are dropped for its `dedupe_ttl`; at most 1,024 bytes. */
  key?: string | null;
  /** Which of the sensor's triggers it is for; the first of them if it is not given. */
  trigger?: string | null;
  /** When it happened. */
  occurredAt?: Date | null;
}

/** A payload with what goes beside it: yield ctx.event({ id: 7 }, { key: "7" }). */
export class Event {
  constructor(payload: Payload, beside?: Beside);
  payload: Payload;
  key: string | null;
  trigger: string | null;
  occurredAt: Date | null;
}

/** Writes lines to the sensor's log: ctx.log("..."), ctx.log.warning("..."). */
export interface Log {
  (message: unknown): void;
  debug(message: unknown): void;
  info(message: unknown): void;
  warning(message: unknown): void;
  error(message: unknown): void;
}

/** What one poll may bring. */
export interface Limits {
  /** Bytes of one payload as JSON, and of a cursor. */
  readonly eventBytes: number;
  /** Bytes of all payloads together, or of those between two checkpoints of a stream. */
  readonly pollBytes: number;
  /** How many events. */
  readonly events: number;
}

/** What a poll is given, a new one each time. */
export interface Context<Config = { [key: string]: any }, Cursor = any> {
  /** The sensor's config, its secrets filled in. */
  readonly config: Config;
  /** Where the sensor got to: what an earlier poll set, null at first. Any JSON value; kept if the poll succeeds. */
  cursor: Cursor | null;
  /** When the poll is stopped; null for a stream. */
  readonly deadline: Date | null;
  readonly limits: Limits;
  readonly log: Log;
  /** The value of a secret that the sensor's config mentions as ${secret:NAME}. */
  secret(name: string): string;
  /** An event to yield or to return, with more than its payload. */
  event(payload: Payload, beside?: Beside): Event;
  /**
   * Says that the events so far are complete: they are kept with the cursor, whatever becomes of the poll.
   * ctx.checkpoint(cursor) sets ctx.cursor, too.
   */
  checkpoint(cursor?: Cursor | null): void;
  /** Asks for the next poll at once: there is more than this one brings. */
  more(): void;
  /**
   * Asks for the next poll so many seconds after this one, instead of at the interval. What a server's Retry-After says
   * can be handed on: less than 0.1 s counts as 0.1 s, more than a day as a day.
   */
  nextAfter(seconds: number): void;
  /** Says why this poll finds nothing: return ctx.skip("no new mail"). */
  skip(reason: unknown): void;
}

type Item = Payload | Event;
type Events = Iterable<Item> | null | undefined | void;

/** What a sensor's file exports as poll. */
export type Poll<Config = { [key: string]: any }, Cursor = any> = (
  ctx: Context<Config, Cursor>,
) => Events | Promise<Events> | AsyncIterable<Item>;

/** What a poll brought. */
export interface Result {
  /** With payloads as they go over the wire. */
  events: Event[];
  /** The payloads of the events. */
  readonly payloads: any[];
  /** Where the next poll starts. */
  cursor: any;
  /** The reason that ctx.skip() was given. */
  skipped: string | null;
  more: boolean;
  /** In seconds. */
  nextAfter: number | null;
  log: { level: "debug" | "info" | "warning" | "error"; message: string }[];
}

/** How runOnce runs a poll. */
export interface Options {
  /** ${secret:NAME} in it becomes secrets.NAME. */
  config?: { [key: string]: unknown };
  cursor?: unknown;
  secrets?: { [name: string]: string };
  /** The sensor's triggers, the default one first; without them events may name any. */
  triggers?: string[];
  mode?: "poll" | "stream";
  /** Makes ctx.deadline, in seconds; nothing stops the poll. */
  timeout?: number;
  /** The poll ends at its first checkpoint that follows so many events, or before a further event: so a stream ends. */
  stopAfter?: number;
}

/** Runs one poll here and now, for tests. What poll throws goes to the caller. */
export function runOnce(poll: Poll<any, any>, options?: Options): Promise<Result>;

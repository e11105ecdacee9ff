// Types for Node.js sensors. In TypeScript: import type { Context } from "attune_sensor"; in JavaScript:
// /** @param {import("attune_sensor").Context} ctx */

/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Writes lines to the sensor's log: ctx.log("..."), ctx.log.warning("..."). */
export interface Log {
  (message: unknown): void;
  debug(message: unknown): void;
  info(message: unknown): void;
  warning(message: unknown): void;
  error(message: unknown): void;
}

/** What a poll is given. */
export interface Context<Config = { [key: string]: any }, Cursor = any> {
  /** The sensor's config. */
  readonly config: Config;
  /** Where the sensor got to: what an earlier poll set, null at first. Any JSON value; kept if the poll succeeds. */
  cursor: Cursor | null;
  /** When the poll is stopped. */
  readonly deadline: Date;
  readonly log: Log;
  /** Says why this poll finds nothing: return ctx.skip("no new mail"). */
  skip(reason: string): void;
}

/** An event's payload. */
export type Payload = { [key: string]: unknown };

type Events = Iterable<Payload> | null | undefined | void;

/** What a sensor's file exports as poll. */
export type Poll = (ctx: Context) => Events | Promise<Events> | AsyncIterable<Payload>;

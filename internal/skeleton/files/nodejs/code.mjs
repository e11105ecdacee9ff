// Yields an event for each new item. The cursor is the id of the last one.

export async function* poll(ctx) {
  // The cursor is where the last good poll got to, null at first. It is stored together with the events.
  const last = ctx.cursor ?? 0;
  const items = await look(last, ctx.config.limit);
  ctx.log(`${items.length} new items after ${last}`); // `starter logs` shows it
  for (const { id, text } of items) {
    yield { id, text }; // one event, of trigger {{.Ref}}
    ctx.cursor = id;
  }
  if (items.length === 0) ctx.skip(`nothing after ${last}`); // why there is no event; not a failure
}

// Stands for what you watch: put a request, a query, or the listing of a folder here. This one knows three items.
async function look(last, limit) {
  return [1, 2, 3].filter((id) => id > last).slice(0, limit).map((id) => ({ id, text: `item ${id}` }));
}

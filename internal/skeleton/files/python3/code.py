"""Yields an event for each new item. The cursor is the id of the last one."""


def poll(ctx):
    # The cursor is where the last good poll got to, None at first. It is stored together with the events.
    last = ctx.cursor or 0
    items = look(last, ctx.config["limit"])
    ctx.log(f"{len(items)} new items after {last}")  # `starter logs` shows it
    for item in items:
        yield {"id": item["id"], "text": item["text"]}  # one event, of trigger {{.Ref}}
        ctx.cursor = item["id"]
    if not items:
        ctx.skip(f"nothing after {last}")  # why there is no event; not a failure


def look(last, limit):
    """Stands for what you watch: put a request, a query, or the listing of a folder here. This one knows three items."""
    return [{"id": n, "text": f"item {n}"} for n in range(last + 1, 4)][:limit]

#!/bin/sh
# Writes an event for each new item. The cursor is the id of the last one.
set -eu

# One line of JSON on stdin says what to do: {..., "config":{"limit":2}, "cursor":null, ...}. A tool such as jq reads it
# better; this needs none.
read -r request
value() { printf '%s\n' "$request" | sed -n "s/.*\"$1\":\([^,}]*\).*/\1/p"; }
limit=$(value limit)

# The cursor is where the last good poll got to, null at first. It is stored together with the events.
last=$(value cursor)
[ "$last" = null ] && last=0

# Stands for what you watch: put a request, a query, or the listing of a folder here. This one knows three items.
look() {
    for id in 1 2 3; do
        if [ "$id" -gt "$last" ]; then echo "$id item $id"; fi
    done | head -n "$limit"
}

look | while read -r id text; do
    printf '{"id": %d, "text": "%s"}\n' "$id" "$text"   # a JSON object on stdout: one event, of trigger {{.Ref}}
    printf '{"type": "cursor", "cursor": %d}\n' "$id" >&3
done
echo "looked for items after $last"                     # any other line is its log, which `starter logs` shows

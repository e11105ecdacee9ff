#!/bin/sh
# Writes an event when the disk usage of a path crosses a threshold, up or down. The cursor is "above" or "below".
set -eu

read -r request # one line: {..., "config":{"path":"/","threshold_percent":80},"cursor":null, ...}
value() { printf '%s\n' "$request" | sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p"; }
path=$(value path)
threshold=$(value threshold_percent)
previous=$(value cursor)
[ "$previous" = null ] && previous=below # so that the first poll speaks of what is above already

usage=$(df -P "$path" | awk 'NR == 2 && match($0, /[0-9]+%/) { print substr($0, RSTART, RLENGTH - 1) }')
[ -n "$usage" ] || { echo "df tells no usage of $path" >&2; exit 1; }
if [ "$usage" -ge "$threshold" ]; then state=above; else state=below; fi
echo "$path is $usage% full" # not a JSON object: this is for the log

if [ "$state" != "$previous" ]; then
    printf '{"path":"%s","state":"%s","previous":"%s","usage_percent":%d,"threshold_percent":%d}\n' \
        "$path" "$state" "$previous" "$usage" "$threshold"
    printf '{"type":"cursor","cursor":"%s"}\n' "$state" >&3
fi

"""Yields an event for each line of a growing file that matches a pattern, for as long as it runs. The cursor says which
file it was, by its number, and how much of it has been read."""

import os
import re
import time


def poll(ctx):
    path, pattern = ctx.config["path"], re.compile(ctx.config["pattern"])
    file, place = None, ctx.cursor
    ctx.log(f"following {path}")
    while True:
        file = file or open_at(path, place)
        if file:
            moved = replaced(path, file)  # before reading, so that nothing of the old file is missed
            for line in whole_lines(file):
                match = pattern.search(line)
                if match:
                    yield {"path": path, "line": line[:1000], "fields": match.groupdict()}
            here = {"file": os.fstat(file.fileno()).st_ino, "offset": file.tell()}
            if here != place:
                place = here
                ctx.checkpoint(place)  # what was yielded is safe now; after a crash the next one goes on from here
            if moved:
                file.close()
                file = None
                continue
        time.sleep(0.2)


def open_at(path, place):
    """Opens the file where the place says; at its end if there is none, at its beginning if it was another file."""
    if not os.path.exists(path):
        return None
    file = open(path, "rb")
    if place is None:
        file.seek(0, os.SEEK_END)
    elif place["file"] == os.fstat(file.fileno()).st_ino and place["offset"] <= os.stat(path).st_size:
        file.seek(place["offset"])
    return file


def replaced(path, file):
    """Says whether the file was emptied, or another one is there under its name."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return False
    return found.st_ino != os.fstat(file.fileno()).st_ino or found.st_size < file.tell()


def whole_lines(file):
    """Yields what was added to the file, but for a line that is still being written."""
    for line in iter(file.readline, b""):
        if not line.endswith(b"\n"):
            file.seek(-len(line), os.SEEK_CUR)
            return
        yield line.decode(errors="replace").rstrip("\r\n")

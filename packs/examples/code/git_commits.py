"""Yields an event for each new commit of a git repository, oldest first. The cursor is the hash of the last one."""

import subprocess
from datetime import datetime

FIELDS = {"hash": "%H", "author": "%an", "email": "%ae", "committed_at": "%cI", "subject": "%s"}
FORMAT = "--format=" + "".join("%x00" + field for field in FIELDS.values())


def poll(ctx):
    repository = ctx.config["repository"]
    head = git(repository, "rev-parse", "--verify", ctx.config.get("branch", "HEAD") + "^{commit}").strip()
    if head != ctx.cursor:
        log = git(repository, "log", "--reverse", "--topo-order", "--numstat", "--no-renames", FORMAT, *unseen(ctx, head))
        for commit in commits(log):
            # The hash as key: after a rewrite of history, commits that were seen before do not become events again.
            yield ctx.event(commit, key=commit["hash"], occurred_at=moment(commit["committed_at"]))
        ctx.cursor = head


def unseen(ctx, head):
    """Which commits to yield. After a rewrite of history, those that the new one adds to the old one."""
    if ctx.cursor is not None:
        try:
            git(ctx.config["repository"], "cat-file", "-e", ctx.cursor)
            return [f"{ctx.cursor}..{head}"]
        except RuntimeError:
            ctx.log.warning(f"commit {ctx.cursor} is gone: history was rewritten, so this poll is like the first")
    return [f"--max-count={ctx.config.get('initial', 50)}", head]


def commits(log):
    """Reads a log: a NUL and a field, for each field; then a line `insertions TAB deletions TAB path` for each file."""
    values = log.split("\0")[1:]
    for i in range(0, len(values), len(FIELDS)):
        commit = dict(zip(FIELDS, values[i : i + len(FIELDS)]))
        commit["subject"], *lines = commit["subject"].split("\n")
        changes = [line.split("\t") for line in lines if line]
        yield {
            **commit,
            "files": len(changes),
            "insertions": sum(int(n) for n, _, _ in changes if n != "-"),  # "-": a binary file
            "deletions": sum(int(n) for _, n, _ in changes if n != "-"),
            "paths": [path for _, _, path in changes[:100]],
        }


def moment(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))  # which Python 3.9 does not know


def git(repository, *args):
    command = ["git", "-c", "safe.directory=*", "-c", "core.quotePath=false", "-C", repository, *args]
    result = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if result.returncode != 0:
        raise RuntimeError(f"git {args[0]} in {repository}: {result.stderr.strip()}")
    return result.stdout

"""Lets no child process of an engine outlive the worker that started it.

An engine that is split over devices has processes of its own. When their worker is killed nobody
tells them, and they would keep their devices for ever. So the worker makes itself the head of a
session, which its descendants inherit, and starts this guard outside of it. The guard waits for the
end of a pipe that the worker alone holds open: the system closes it whichever way the worker dies.
Run as a script, this file is the guard: its argument is the session, its input the pipe.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

_ROUNDS = 50
_ROUND_S = 0.1


def dask_setup(worker: Any) -> None:
    """Hook of Dask's preload: guard this process."""
    guard_this_process()


def guard_this_process() -> None:
    """Become the head of a session, and have all of it killed when this process is gone."""
    os.setsid()
    end_of_guard, end_of_worker = os.pipe()
    held = [end_of_worker]

    def let_go() -> None:
        while held:
            os.close(held.pop())

    # A child that is forked, not started anew, would hold the pipe open beyond our death.
    os.register_at_fork(after_in_child=let_go)
    subprocess.Popen(
        [sys.executable, "-P", __file__, str(os.getpid())],
        stdin=end_of_guard,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(end_of_guard)


def kill_session(session: int) -> bool:
    """Kill what is alive in a session; false if nothing was."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(session, signal.SIGKILL)
    members = _members(session)
    for pid in members:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    return bool(members)


def _members(session: int) -> list[int]:
    """The live processes of a session, also those in process groups of their own (Linux)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # "pid (name) state parent group session ...", where the name may hold anything.
            state, _, _, its_session = stat.read_text().rpartition(")")[2].split()[:4]
            if its_session == str(session) and state != "Z":
                found.append(int(stat.parent.name))
    return found


def main() -> None:
    """Wait for the worker's end, then for that of its session."""
    session = int(sys.argv[1])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    # Again and again: what is being killed may just be starting another.
    for _ in range(_ROUNDS):
        if not kill_session(session):
            break
        time.sleep(_ROUND_S)


if __name__ == "__main__":
    main()

"""Worker processes: start them, notice at once when they end, end them.

Two pipes tie a worker to its broker. The read end of one is polled here and its write end is held
only by the child: end of file means that the child is gone, within a millisecond, on every Unix.
The other is the child's standard input: when the broker dies, however, the child sees end of file
and leaves. Processes are spawned, never forked with live sockets or device contexts.
"""

import contextlib
import math
import os
import signal
import subprocess
import sys
import time

from broker.events import ChildExited
from broker.placing import Placing
from detect.cgroups import read_oom_kills
from detect.host import Host, LiveHost
from detect.placement.retry import ending
from protocol.ids import WorkerId

EXIT_CONFIG = 78  # EX_CONFIG of sysexits(3): what a worker says when starting again cannot help

AT_ONCE_S = 0.02
"""From end of file on its pipe to the end of a process: far less, as a rule. One that takes longer,
since a driver cleans up after it, is looked at again and again, and nobody waits for it."""

REAP_S = 2.0
"""One that is not gone by then is killed."""

_UNIX = os.name == "posix"


class Supervisor:
    """The worker processes of one broker."""

    def __init__(self, placing: Placing, host: Host | None = None) -> None:
        """`host`: where the kernel's count of memory kills is read."""
        self._placing = placing
        self._host = host or LiveHost()
        self._oom_kills = read_oom_kills(self._host)
        self._killed: set[WorkerId] = set()  # by us, and not reaped yet
        self._processes: dict[WorkerId, subprocess.Popen[bytes]] = {}
        self._ending: dict[WorkerId, float] = {}  # pipe at its end: when to kill the process
        self.pipes: dict[int, WorkerId] = {}  # to be polled for end of file

    def spawn(self, worker: WorkerId) -> int:
        """Start a worker; its process id. Raises OSError when no process can be had."""
        # -P: a folder named `worker` where the user happens to stand must not be run.
        command = [sys.executable, "-P", "-m", "worker", "--lifeline", "--name", worker]
        start = self._placing.start_of(worker)
        self._oom_kills = read_oom_kills(self._host)  # what was killed before is not this worker
        read_end, write_end = os.pipe()
        try:
            process = subprocess.Popen(
                [*command, *start.arguments],
                env={**os.environ, **start.env},
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                pass_fds=(write_end,) if _UNIX else (),
                start_new_session=_UNIX,  # Ctrl-C in the terminal is for the broker to interpret
            )
        except OSError:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
        self._processes[worker] = process
        if _UNIX:
            self.pipes[read_end] = worker
        else:
            os.close(read_end)
        return process.pid

    def kill(self, worker: WorkerId) -> None:
        """End a worker at once. SIGKILL also ends one that is stopped or stuck in a call."""
        if process := self._processes.get(worker):
            self._killed.add(worker)
            process.kill()

    def ended(self, pipe: int) -> None:
        """The pipe of a worker came to its end: `poll` tells of it, soon if not at once."""
        worker = self.pipes.pop(pipe)
        os.close(pipe)
        self._ending[worker] = time.monotonic() + REAP_S
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._processes[worker].wait(AT_ONCE_S)

    @property
    def waits(self) -> bool:
        """Is a process as good as gone, and still there? Then poll again soon."""
        return bool(self._ending)

    def poll(self) -> list[ChildExited]:
        """The processes that have ended, and why. Where pipes cannot be polled: ask each of all."""
        if _UNIX and not self._ending:
            return []
        asked = list(self._ending) if _UNIX else list(self._processes)
        over = [worker for worker in asked if self._is_over(worker)]
        return [self._exited(worker, self._processes[worker]) for worker in over]

    def _is_over(self, worker: WorkerId) -> bool:
        if self._processes[worker].poll() is not None:
            return True
        if time.monotonic() >= self._ending.get(worker, math.inf):
            self._ending[worker] = math.inf
            self.kill(worker)
        return False

    def _exited(self, worker: WorkerId, process: subprocess.Popen[bytes]) -> ChildExited:
        del self._processes[worker]
        self._ending.pop(worker, None)
        if process.stdin:
            process.stdin.close()
        code, ours = process.returncode, worker in self._killed
        self._killed.discard(worker)
        cause = _cause(code)
        if _UNIX and code == -signal.SIGKILL and not ours:
            if memory := self._memory_kill():
                return self._killed_for_memory(worker, memory)
            if self._oom_kills is None:  # the system does not count them
                cause = ending(None, None, signal.SIGKILL)
        return ChildExited(worker, cause, final=code == EXIT_CONFIG, asked=code == 0)

    def _memory_kill(self) -> str:
        """The kernel's word for a SIGKILL that was not ours, "" when it counts none for memory."""
        counted = read_oom_kills(self._host)
        if self._oom_kills is None or counted is None or counted <= self._oom_kills:
            return ""
        self._oom_kills += 1  # another worker that died beside this one accounts for the next
        return ending(counted - 1, counted, signal.SIGKILL)

    def _killed_for_memory(self, worker: WorkerId, cause: str) -> ChildExited:
        change = self._placing.killed_for_memory(worker, cause)
        if change is not None:
            return ChildExited(worker, f"{cause}; it comes back smaller: {change}")
        if not self._placing.is_planned:
            return ChildExited(worker, f"{cause}; give it fewer --slots or a smaller --context")
        return ChildExited(worker, f"{cause}, and it cannot be made smaller", final=True)

    def end_all(self, grace_s: float) -> None:
        """Let every worker go by closing its lifeline; kill those that stay."""
        for process in self._processes.values():
            if process.stdin:
                process.stdin.close()
        for process in self._processes.values():
            try:
                process.wait(grace_s)
            except subprocess.TimeoutExpired:
                process.kill()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(REAP_S)
        self._processes.clear()
        for pipe in self.pipes:
            os.close(pipe)
        self.pipes.clear()


def _cause(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = "unknown"
    return f"killed by signal {-code} ({name})"

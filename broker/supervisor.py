"""Worker processes: start them, notice at once when they end, end them.

Two pipes tie a worker to its broker. The read end of one is polled here and its write end is held
only by the child: end of file means that the child is gone, within a millisecond, on every Unix.
The other is the child's standard input: when the broker dies, however, the child sees end of file
and leaves. Processes are spawned, never forked with live sockets or device contexts.
"""

import os
import signal
import subprocess
import sys

from broker.events import ChildExited
from broker.placing import Placing
from detect.cgroups import read_oom_kills
from detect.host import Host, LiveHost
from detect.placement.retry import ending
from protocol.ids import WorkerId

EXIT_CONFIG = 78  # EX_CONFIG of sysexits(3): what a worker says when starting again cannot help

REAP_S = 2.0
"""After end of file on its pipe a process is as good as gone; one that is not by then is killed."""

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

    def ended(self, pipe: int) -> ChildExited:
        """The pipe of a worker came to its end: reap it and tell why it ended."""
        worker = self.pipes.pop(pipe)
        os.close(pipe)
        process = self._processes[worker]
        try:
            process.wait(REAP_S)
        except subprocess.TimeoutExpired:
            self._killed.add(worker)
            process.kill()
            process.wait()
        return self._exited(worker, process)

    def poll(self) -> list[ChildExited]:
        """Where pipes cannot be polled (Windows): ask each process."""
        if _UNIX:
            return []
        over = [(w, p) for w, p in self._processes.items() if p.poll() is not None]
        return [self._exited(worker, process) for worker, process in over]

    def _exited(self, worker: WorkerId, process: subprocess.Popen[bytes]) -> ChildExited:
        del self._processes[worker]
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
                process.wait()
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

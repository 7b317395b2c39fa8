"""Runs programs after shutting itself in. A script: it imports nothing of ours.

stdin   one JSON object: "programs" [[source, [expression, ...]], ...], "seconds", "bytes", "first"
stdout  a line "ready", or "refused REASON"; then one JSON line for each program from `first` on:
        a list with [value as repr, null] or [null, kind of exception] for each expression,
        or {"broken": kind of exception} when the program itself failed.

Linux only: resource limits, Landlock (no file written, made or removed; Linux 5.13) and a seccomp
filter (no socket, process or signal; Linux 3.5). All three need no privilege and cannot be undone.
Sources: Documentation/userspace-api/landlock.rst and seccomp_filter.rst of the Linux kernel.
"""

import builtins
import contextlib
import ctypes
import io
import json
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

REPR_CHARS_MAX = 2000
"""Of one value: longer ones are compared by their beginning and length."""

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LANDLOCK_CREATE_RULESET, LANDLOCK_RESTRICT_SELF = 444, 446
LANDLOCK_WRITES = 0b1_1111_1111_0010
"""Every right of ABI 1 but execute, read file and read directory."""

ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | 1  # SECCOMP_RET_ERRNO with EPERM
MACHINES = {
    # audit architecture, then the system calls: socket, socketpair, clone, fork, vfork, execve,
    # execveat, kill, tkill, tgkill, ptrace, process_vm_writev, io_uring_setup, clone3, pidfd_open
    "x86_64": (0xC000003E, (41, 53, 56, 57, 58, 59, 322, 62, 200, 234, 101, 311, 425, 435, 434)),
    "aarch64": (0xC00000B7, (198, 199, 220, 221, 281, 129, 130, 131, 117, 271, 425, 435, 434)),
}


class Refused(Exception):
    """No sandbox can be had here."""


class Late(BaseException):
    """A program took too long; no `except Exception` of it catches this."""


def shut_in(seconds: float, memory_bytes: int) -> None:
    """Give up every right that a pure function does not need."""
    if sys.platform != "linux" or platform.machine() not in MACHINES:
        raise Refused(f"no sandbox for {sys.platform} on {platform.machine()}: it needs Linux")
    cpu_s = int(seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    rights = ctypes.c_uint64(LANDLOCK_WRITES)
    ruleset = libc.syscall(LANDLOCK_CREATE_RULESET, ctypes.byref(rights), ctypes.sizeof(rights), 0)
    check(ruleset, "Landlock (Linux 5.13)")
    check(libc.syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0), "Landlock")
    program = seccomp_filter()
    held = ctypes.create_string_buffer(program)
    head = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(held))
    check(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.c_char_p(head), 0, 0), "seccomp")


def check(result: int, what: str) -> None:
    """Raise when a system call said no."""
    if result < 0:
        raise Refused(f"{what} is not available: {os.strerror(ctypes.get_errno())}")


def seccomp_filter() -> bytes:
    """Classic BPF: another architecture or a listed call is refused, the rest allowed."""
    arch, calls = MACHINES[platform.machine()]
    load, equal, at_least, give = 0x20, 0x15, 0x35, 0x06
    refuse = 5 + len(calls)  # the last line; a jump counts from the line after its own
    lines = [
        (load, 0, 0, 4),
        (equal, 0, refuse - 2, arch),
        (load, 0, 0, 0),
        (at_least, refuse - 4, 0, 0x40000000),  # the calls of the x32 form
        *((equal, refuse - 5 - i, 0, call) for i, call in enumerate(calls)),
        (give, 0, 0, ALLOW),
        (give, 0, 0, REFUSE),
    ]
    return b"".join(struct.pack("HBBI", *line) for line in lines)


def late(signum: int, frame: object) -> None:
    """Handle the alarm."""
    raise Late


def outcome(source: str, expressions: list[str], seconds: float) -> object:
    """Run one program, then each expression in its names."""
    names: dict[str, object] = {"__name__": "candidate", "__builtins__": builtins}
    try:
        limited(lambda: exec(compile(source, "<candidate>", "exec"), names), seconds)  # noqa: S102
    except BaseException as problem:
        return {"broken": type(problem).__name__}
    found: list[list[str | None]] = []
    for expression in expressions:
        late_before = bool(found) and found[-1][1] == "Late"  # it would only be late again
        found.append([None, "Late"] if late_before else value_of(expression, names, seconds))
    return found


def value_of(expression: str, names: dict[str, object], seconds: float) -> list[str | None]:
    """[repr, None] or [None, kind of exception]."""
    try:
        text = limited(lambda: repr(eval(expression, names)), seconds)  # noqa: S307
    except BaseException as problem:
        return [None, type(problem).__name__]
    if len(text) > REPR_CHARS_MAX:
        text = f"{text[:REPR_CHARS_MAX]}… {len(text)}"
    return [text.encode("utf-8", "replace").decode(), None]


def limited(action: Callable[[], T], seconds: float) -> T:
    """Do it, with an alarm, and with its output thrown away."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return action()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def main() -> None:
    """Read what to run, shut in, run."""
    order = json.load(sys.stdin)
    out = sys.stdout
    sys.stdin = io.StringIO()
    count = len(order["programs"]) - order["first"]
    try:
        shut_in(order["seconds"] * max(1, count), order["bytes"])
    except Refused as problem:
        out.write(f"refused {problem}\n")
        return
    signal.signal(signal.SIGALRM, late)
    out.write("ready\n")
    for source, expressions in order["programs"][order["first"] :]:
        try:
            found = outcome(source, expressions, order["seconds"])
        except Late:  # the alarm rang between two expressions
            found = {"broken": "Late"}
        out.write(json.dumps(found) + "\n")
        out.flush()


if __name__ == "__main__":
    main()

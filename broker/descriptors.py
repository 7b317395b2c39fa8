"""Room for connections: libzmq ends the process when its listener has no free descriptor.

Seen with libzmq 4.3.5 (ipc_listener.cpp): where 128 are allowed, the 129th is an abort. The limit
that the system sets at first is low for the sake of programs that use select(2), which nothing here
does; see setrlimit(2). It is raised before the socket is bound.
"""

FILES_MAX = 65_536
"""Descriptors, where the system lets us: far more clients than one machine runs."""

FILES_LESS = 10_240
"""OPEN_MAX of macOS, which refuses more whatever it says its limit is."""


def make_room() -> None:
    """Let this process, and those it starts, have as many descriptors as it may."""
    try:
        import resource
    except ImportError:  # not a POSIX system: there is no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    for wanted in (FILES_MAX, FILES_LESS):
        most = wanted if hard == unlimited else min(hard, wanted)
        if soft == unlimited or soft >= most:
            return
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        except (ValueError, OSError):
            continue
        return

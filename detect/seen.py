"""What `swarmctl doctor` looks at beside the machine's facts: home, socket, disk, clock, mDNS."""

import ctypes
import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path

from detect import probing
from detect.android import is_android
from detect.doctor import Seen
from detect.home import Home, HomeError, find, prepare
from detect.host import LiveHost
from detect.record import Probed

TIMEX_BYTES = 512  # struct timex takes 208 on 64 bits
TIME_ERROR = 5  # of adjtimex(2)
MDNS_TIMEOUT_S = 8.0  # importing zeroconf, announcing and hearing take three


def look(mdns_interface: str = "") -> Seen:
    """Look at this machine. Creates the node's folders, as starting it would."""
    waiting = probing.start(["mdns", mdns_interface])
    host = LiveHost()
    home, error, hint = _home()
    ready = home is not None and not error
    heard = probing.finish(*waiting, MDNS_TIMEOUT_S)
    return Seen(
        home=str(home.state) if home else "",
        home_error=error,
        home_hint=hint,
        socket_error=_socket(home) if home is not None and ready else None,
        disk_free_bytes=_disk(home.state) if home is not None and ready else None,
        files_open_max=host.about.files_open_max,
        clock_synchronised=_clock(host),
        mdns_heard=_heard(heard),
        mdns_error=_mdns_error(heard),
        launchd_agent=sys.platform == "darwin"
        and bool(os.environ.get("XPC_SERVICE_NAME", "0") != "0"),
    )


def _home() -> tuple[Home | None, str, str]:
    try:
        home = find()
        prepare(home)
        home.address  # noqa: B018 - raises when the socket's path is too long
    except HomeError as wrong:
        return None, str(wrong), wrong.hint
    return home, "", ""


def _socket(home: Home) -> str | None:
    """Bind a socket beside the node's own; "" when that works."""
    if not hasattr(socket, "AF_UNIX"):
        return None
    try:
        with (
            tempfile.TemporaryDirectory(dir=home.runtime, prefix="d") as folder,
            socket.socket(socket.AF_UNIX) as tried,
        ):
            tried.bind(str(Path(folder, "s")))
    except OSError as wrong:
        return wrong.strerror or str(wrong)
    return ""


def _disk(path: Path) -> int | None:
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return None


def _clock(host: LiveHost) -> bool | None:
    """As systemd's time service tells it, else the kernel's own flag, which chrony and ntpd set."""
    if host.read("/run/systemd/timesync/synchronized") is not None:
        return True
    done = host.run("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if done is not None and done.rc == 0:
        return {"yes": True, "no": False}.get(done.out.strip())
    if sys.platform != "linux" or is_android(host):  # Android ends an app that makes this call
        return None
    return _kernel_clock()


def _kernel_clock() -> bool | None:
    """adjtimex(2) with nothing to set: it returns the clock's state, 5 when not synchronised."""
    try:
        state = ctypes.CDLL(None).adjtimex((ctypes.c_char * TIMEX_BYTES)())
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != TIME_ERROR


def _heard(probed: Probed) -> bool | None:
    heard = (probed.value or {}).get("heard")
    return heard if isinstance(heard, bool) else None


def _mdns_error(probed: Probed) -> str:
    if probed.value is None:
        return f"the probe gave no answer ({probed.error})"
    return str(probed.value.get("error") or "")

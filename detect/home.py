"""Where a node keeps its state, its configuration and its socket on this platform.

SWARM_HOME moves everything to one folder, so that several nodes run on one machine. Without it
the platform's usual folders are used; on Termux everything stays under $HOME, since shared
storage there has neither sockets nor permissions.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

import msgspec

APP = "local-swarm"

SOCKET_PATH_BYTES_MAX = 107
"""sockaddr_un.sun_path is 108 bytes on Linux with its closing zero (unix(7))."""


class HomeError(Exception):
    """The folder cannot be used: what was seen, why not, and what to do next."""

    def __init__(self, seen: str, because: str, hint: str) -> None:
        super().__init__(f"{seen}: {because}")
        self.seen, self.because, self.hint = seen, because, hint


ELSEWHERE = "set SWARM_HOME to a folder that you may write"


class Home(msgspec.Struct, frozen=True):
    """The places of one node. Nothing is created by asking for them; see `prepare`."""

    state: Path  # keys, journal, logs, models
    config: Path  # the folder of config.toml
    runtime: Path  # the socket and the lock

    @property
    def socket(self) -> Path:
        """The broker's local socket, for its owner only."""
        return self.runtime / "broker.sock"

    @property
    def address(self) -> str:
        """The socket as ZeroMQ names it. Raises HomeError when the path is too long for one."""
        path = str(self.socket)
        length = len(os.fsencode(path))
        if length > SOCKET_PATH_BYTES_MAX:
            raise HomeError(
                f"the path {path} is too long for a socket",
                f"it has {length} bytes, and the system takes {SOCKET_PATH_BYTES_MAX}",
                "set SWARM_HOME to a shorter folder, such as ~/.swarm",
            )
        return f"ipc://{path}"

    @property
    def lock(self) -> Path:
        """Held by the one broker of this home; holds its process id.

        Beside the journal that it keeps from a second broker: the runtime folder may be cleared.
        """
        return self.state / "broker.lock"

    @property
    def key(self) -> Path:
        """The node's CURVE key pair: its identity."""
        return self.state / "node.key"

    @property
    def log(self) -> Path:
        """Where a detached node writes what it would say on the terminal."""
        return self.state / "broker.log"

    @property
    def plan(self) -> Path:
        """The workers that `swarmctl up` planned, for its broker."""
        return self.state / "plan.json"

    @property
    def loads(self) -> Path:
        """What earlier loads of models really took."""
        return self.state / "loads.json"

    @property
    def models(self) -> Path:
        """Model files that this node downloaded."""
        return self.state / "models"


def find(env: Mapping[str, str] = os.environ) -> Home:
    """The home that this environment asks for. Raises HomeError for a ~user that nobody is."""
    if root := env.get("SWARM_HOME"):
        path = _expanded(root).absolute()
        return Home(state=path, config=path, runtime=path / "run")
    if "com.termux" in env.get("PREFIX", ""):
        path = Path(env["HOME"]) / f".{APP}"
        return Home(state=path, config=path, runtime=path / "run")
    from platformdirs import PlatformDirs

    dirs = PlatformDirs(APP, appauthor=False)
    state = dirs.user_data_path
    return Home(state=state, config=dirs.user_config_path, runtime=state / "run")


def _expanded(root: str) -> Path:
    try:
        return Path(root).expanduser()
    except RuntimeError:
        raise HomeError(
            f"SWARM_HOME is {root!r}", f"{Path(root).parts[0]} is no user's folder", ELSEWHERE
        ) from None


def prepare(home: Home) -> None:
    """Create the folders, readable by their owner only.

    Raises HomeError when one cannot be made or written, or belongs to somebody else.
    """
    for folder in (home.state, home.runtime):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            owner = folder.stat()
        except OSError as error:
            raise HomeError(
                f"cannot use the folder {folder}", str(error.strerror), ELSEWHERE
            ) from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise HomeError(f"cannot write to {folder}", "its permissions forbid it", ELSEWHERE)
        if folder == home.runtime:
            _close(folder, owner)


def _close(folder: Path, seen: os.stat_result) -> None:
    """Only file modes protect the local socket: nobody else may enter its folder."""
    if not hasattr(os, "getuid"):
        return  # Windows: the user's profile folder is private by its access list
    if seen.st_uid != os.getuid():
        raise HomeError(
            f"{folder} belongs to user {seen.st_uid}",
            f"you are user {os.getuid()}, and whoever owns it could pose as your node",
            "remove it, or set SWARM_HOME to a folder of your own",
        )
    if stat.S_IMODE(seen.st_mode) & 0o077:
        folder.chmod(0o700)

"""What earlier loads really took and gave, kept in the node's folder for the next plan.

Two workers that load at the same moment may each write without the other's figure; the next load
writes it again. A file that cannot be read is as good as none: it only ever makes plans better.
"""

import os
import statistics
import tempfile
from pathlib import Path

import msgspec

from detect.home import Home
from detect.model import Model
from detect.placement.readback import identity, remember
from detect.placement.result import Limits

BYTES_MAX = 1 << 20  # 256 sizes and gains with their keys are below 200 KiB


GAINS_KEPT = 5
"""The latest gains, of which the median is believed: four workers that load at once on one card
measured 1.3 for eight slots, and each alone 4.9."""


class Loads(msgspec.Struct, frozen=True):
    """Totals in bytes by `readback.key`; gains by model and place, then by number of slots."""

    sizes: dict[str, int] = {}
    gains: dict[str, dict[int, tuple[float, ...]]] = {}


def known(home: Home) -> Loads:
    """What is remembered; nothing when there is nothing to read."""
    try:
        with home.loads.open("rb") as file:
            return msgspec.json.decode(file.read(BYTES_MAX), type=Loads)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return Loads()


def with_known(limits: Limits, home: Home, model: Model) -> Limits:
    """The limits with what earlier loads of this model on this machine taught."""
    told = known(home)
    start = f"{identity(model)}|"
    gains = {
        name.removeprefix(start): {count: statistics.median(seen) for count, seen in one.items()}
        for name, one in told.gains.items()
        if name.startswith(start)
    }
    return msgspec.structs.replace(limits, measured=told.sizes, gains=gains)


def keep_size(home: Home, key: str, total_bytes: int) -> None:
    """Remember what one load took. Raises OSError when the folder cannot be written."""
    told = known(home)
    _write(home, msgspec.structs.replace(told, sizes=remember(told.sizes, key, total_bytes)))


def keep_gains(home: Home, name: str, place: str, gains: dict[int, float]) -> None:
    """Remember a model's gains at one place, beside those of other numbers of slots.

    `name` is the model's `readback.identity`. Raises OSError when the folder cannot be written.
    """
    told = known(home)
    key = f"{name}|{place}"
    before = told.gains.get(key, {})
    now = {count: (*before.get(count, ()), gain)[-GAINS_KEPT:] for count, gain in gains.items()}
    both = {**before, **now}
    _write(home, msgspec.structs.replace(told, gains=remember(told.gains, key, both)))


def _write(home: Home, told: Loads) -> None:
    handle, name = tempfile.mkstemp(dir=home.loads.parent, prefix=".loads-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(told))
        Path(name).replace(home.loads)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise

"""What earlier loads really took, kept in the node's folder for the next plan.

Two workers that load at the same moment may each write without the other's figure; the next load
writes it again. A file that cannot be read is as good as none: it only ever makes plans better.
"""

import os
import tempfile
from pathlib import Path

import msgspec

from detect.home import Home
from detect.placement.readback import remember

BYTES_MAX = 1 << 20  # 256 sizes with their keys are below 100 KiB


def known(home: Home) -> dict[str, int]:
    """Bytes by `readback.key`; {} when there is nothing to read."""
    try:
        with home.loads.open("rb") as file:
            return msgspec.json.decode(file.read(BYTES_MAX), type=dict[str, int])
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return {}


def keep(home: Home, key: str, total_bytes: int) -> None:
    """Remember one load. Raises OSError when the folder cannot be written."""
    text = msgspec.json.encode(remember(known(home), key, total_bytes))
    handle, name = tempfile.mkstemp(dir=home.loads.parent, prefix=".loads-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text)
        Path(name).replace(home.loads)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise

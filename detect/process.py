"""Facts of one process."""

from pathlib import Path


def resident_bytes() -> int | None:
    """Memory of this process that is in RAM; None where the platform does not tell.

    Source: proc(5), /proc/self/statm, second field, in pages; psutil elsewhere.
    """
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return _resident_by_psutil()
    return pages * _page_bytes()


def _page_bytes() -> int:
    from resource import getpagesize

    return getpagesize()


def _resident_by_psutil() -> int | None:
    try:
        import psutil
    except (ImportError, NotImplementedError):  # not there; or there, and refusing Android
        return None
    return int(psutil.Process().memory_info().rss)

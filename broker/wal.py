"""Does a write-ahead log hold commits that SQLite would silently leave out? Pure.

SQLite reads its log up to the first frame whose checksum is wrong. After a kill that is the torn
end of a transaction that nobody was told of. After a flipped bit it is the middle, and everything
behind it would vanish without a word. Format: sqlite.org/fileformat2.html, section 4.
"""

import struct

HEADER_BYTES, FRAME_HEADER_BYTES = 32, 24
_MAGIC_LITTLE, _MAGIC_BIG = 0x377F0682, 0x377F0683


def loses_commits(wal: bytes) -> bool:
    """Is there a commit behind the first frame that SQLite will not read?

    False for a log that only ends in a torn transaction. A log cut off between two transactions
    looks whole, and is not found out.
    """
    if len(wal) <= HEADER_BYTES + FRAME_HEADER_BYTES:
        return False
    magic, _, page_bytes = struct.unpack_from(">3I", wal)
    if magic not in (_MAGIC_LITTLE, _MAGIC_BIG) or not 512 <= page_bytes <= 65536:
        return True  # SQLite would take the whole log for none
    order = ">" if magic == _MAGIC_BIG else "<"
    sums = _sum(struct.unpack_from(f"{order}6I", wal), (0, 0))
    if sums != struct.unpack_from(">2I", wal, 24):
        return True
    salt = wal[16:24]
    frame_bytes = FRAME_HEADER_BYTES + page_bytes
    starts = range(HEADER_BYTES, len(wal) - frame_bytes + 1, frame_bytes)
    for start in starts:
        # Frames behind the end are of an earlier round, with another salt.
        rest = range(start, len(wal) - frame_bytes + 1, frame_bytes)
        if wal[start + 8 : start + 16] != salt:
            return any(_commits(wal, at, salt) for at in rest)
        sums = _sum(struct.unpack_from(f"{order}2I", wal, start), sums)
        words = struct.unpack_from(f"{order}{page_bytes // 4}I", wal, start + FRAME_HEADER_BYTES)
        sums = _sum(words, sums)
        if sums != struct.unpack_from(">2I", wal, start + 16):
            return any(_commits(wal, at, salt) for at in rest[1:])
    return False


def _commits(wal: bytes, start: int, salt: bytes) -> bool:
    """Is this frame of this round, and the last of a transaction?"""
    return wal[start + 8 : start + 16] == salt and wal[start + 4 : start + 8] != bytes(4)


def _sum(words: tuple[int, ...], sums: tuple[int, int]) -> tuple[int, int]:
    """The log's running checksum over an even number of 32-bit words."""
    first, second = sums
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second

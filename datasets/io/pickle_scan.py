"""Looks through the opcodes of a pickle before it is read: lengths and memo that would take memory.

Python's unpickler allocates what a pickle declares: 7 bytes can ask for a memo of gigabytes.
"""

import mmap
import pickle

_SIZES = {
    **dict.fromkeys(b"(.012NQRbaedlostu])}\x81\x85\x86\x87\x88\x89", 0),
    **dict.fromkeys(b"\x8f\x90\x91\x92\x93\x94\x97\x98", 0),
    **dict.fromkeys(b"K\x80qh", 1),
    **dict.fromkeys(b"M", 2),
    **dict.fromkeys(b"Jrj", 4),
    **dict.fromkeys(b"G", 8),
}
_FIXED = [_SIZES.get(code, -1) for code in range(256)]
_COUNTED = {
    **dict.fromkeys(b"UC\x8c\x8a", 1),
    **dict.fromkeys(b"TXB\x8b", 4),
    **dict.fromkeys(b"\x8d\x8e\x95\x96", 8),
}
_LINES = {**dict.fromkeys(b"FILSVPpg", 1), **dict.fromkeys(b"ci", 2)}
_FRAME, _STOP, _LONG_PUT, _TEXT_PUT = 0x95, ord("."), ord("r"), ord("p")
_PUTS = frozenset(b"qr\x94")
_SPARE = 1024  # memo entries beyond those that were put so far


def scan_pickle(data: bytes | mmap.mmap, start: int = 0) -> int:
    """Returns where the pickle that begins at `start` ends.

    Raises:
        pickle.UnpicklingError: If it is cut off, has an unknown opcode, declares more bytes than
            there are, or numbers its memo far beyond its entries.
    """
    place, end, puts = start, len(data), 0
    while place < end:
        code = data[place]
        place += 1
        if (size := _FIXED[code]) >= 0:
            if code in _PUTS:
                puts += 1
                if code == _LONG_PUT:
                    _check_memo(int.from_bytes(data[place : place + 4], "little"), puts)
            place += size
            if code == _STOP:
                return place
        elif width := _COUNTED.get(code, 0):
            size = int.from_bytes(data[place : place + width], "little")
            place += width
            if size > end - place:
                raise pickle.UnpicklingError(f"it declares {size:,} bytes, of which few exist")
            place += 0 if code == _FRAME else size
        elif lines := _LINES.get(code, 0):
            for _ in range(lines):
                first, place = place, data.find(b"\n", place) + 1
                if not place:
                    raise pickle.UnpicklingError("pickle data was truncated")
            puts += code == _TEXT_PUT
            if code == _TEXT_PUT:
                _check_memo(int(data[first : place - 1]), puts)
        else:
            raise pickle.UnpicklingError(f"its opcode {bytes([code])!r} is not read")
    raise pickle.UnpicklingError("pickle data was truncated")


def _check_memo(index: int, puts: int) -> None:
    if not 0 <= index <= puts + _SPARE:
        raise pickle.UnpicklingError(f"it numbers its {puts:,} entries up to {index:,}")

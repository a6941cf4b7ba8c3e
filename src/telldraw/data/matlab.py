"""Matrices of numbers in MATLAB's files of version 5, as owners distribute labels. Nothing else is understood."""

import struct
import zlib
from pathlib import Path

import numpy as np

from telldraw.errors import DataError

_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_MATRIX, _COMPRESSED = 14, 15
_HEAD = 128


def read_matrix(path: Path, name: str) -> np.ndarray:
    """The matrix called `name`. Raises DataError when the file is damaged, of another form, or has no such matrix.

    The form: a head of 128 bytes, then elements, each a type, a length and so many bytes, perhaps compressed; a matrix
    is an element of elements: flags, dimensions, name, numbers by column (MAT-File Format, Level 5).
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; download it again") from None
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None:
        raise DataError(f"{path} is no MATLAB file of version 5; download it again")
    found = []
    try:
        at = _HEAD
        while at < len(data):
            kind, content, at = _element(data, at, order)
            if kind == _COMPRESSED:
                kind, content, _ = _element(zlib.decompress(content), 0, order)
            if kind == _MATRIX:
                own, matrix = _matrix(content, order)
                if own == name:
                    return matrix
                found.append(own)
    except (struct.error, zlib.error, KeyError, ValueError) as error:
        raise DataError(f"{path} is damaged, or has more than numbers in it ({error}); download it again") from None
    raise DataError(f"{path} has no matrix {name}, only {', '.join(found) or 'none'}; download it again")


def _element(data: bytes, at: int, order: str) -> tuple[int, bytes, int]:
    """Type and bytes of the element at a place, and where the next one begins."""
    kind, size = struct.unpack_from(order + "II", data, at)
    if kind >> 16:  # a small one has type, length and bytes in eight
        kind, size, begin, after = kind & 0xFFFF, kind >> 16, at + 4, at + 8
    else:
        begin = at + 8
        after = begin + size + (-size % 8 if kind != _COMPRESSED else 0)
    if begin + size > len(data):
        raise ValueError("it is cut short")
    return kind, data[begin : begin + size], after


def _matrix(content: bytes, order: str) -> tuple[str, np.ndarray]:
    _, flags, at = _element(content, 0, order)
    if struct.unpack_from(order + "I", flags)[0] & 0xFF not in range(6, 16):  # of cells, structures, text
        raise ValueError("of another class")
    _, dimensions, at = _element(content, at, order)
    _, name, at = _element(content, at, order)
    kind, numbers, _ = _element(content, at, order)
    values = np.frombuffer(numbers, order + _NUMBERS[kind])
    return name.decode("latin-1"), values.reshape(np.frombuffer(dimensions, order + "i4"), order="F")

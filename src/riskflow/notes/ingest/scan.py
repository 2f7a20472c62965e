"""Find the elements of a huge JSON array (or of values one after the other) without reading it whole.

A streaming parser stops for good at the first bad byte. Here only the borders of elements are found, with
numpy over blocks of bytes (braces outside strings), and each element is parsed on its own: a bad one is told
with its position and those after it are still read. Memory is a few blocks, or the largest element.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import orjson

BLOCK = 4 << 20
LONGEST_ELEMENT = 64 << 20
_BLANK = b" \t\r\n"
_OPEN, _CLOSE = b"{[", b"}]"


@dataclass(frozen=True)
class Element:
    """A parsed element and its offset in the file; `fault` says what is wrong with it, if anything."""

    value: Any
    offset: int
    size: int = 0
    fault: str = ""


@dataclass
class _Window:
    """The part of the file in memory, from the first byte that is not used up."""

    handle: BinaryIO
    data: bytes = b""
    offset: int = 0
    ended: bool = False

    def grow(self) -> bool:
        block = self.handle.read(max(BLOCK, len(self.data)))
        self.ended = not block
        self.data += block
        return not self.ended

    def drop(self, count: int) -> None:
        self.data = self.data[count:]
        self.offset += count


def elements(
    handle: BinaryIO, resync: re.Pattern[bytes], inside: re.Pattern[bytes] | None = None
) -> Iterator[Element]:
    """Yield the elements of the first array of a file, or the values that follow each other in it.

    `inside`: read the array that begins after this pattern (for example `"entry": [`), not the outermost.
    `resync`: how an element begins; after damage, reading goes on at the next such place.
    """
    window = _Window(handle)
    window.grow()
    if window.data.startswith(b"\xef\xbb\xbf"):
        window.drop(3)
    in_array = _enter(window, inside)
    yield from _values(window, in_array, resync)


def _enter(window: _Window, inside: re.Pattern[bytes] | None) -> bool:
    """Move behind the bracket that opens the array; False when there is none and values follow each other."""
    if inside is not None:
        while (found := inside.search(window.data)) is None:
            if not window.grow():
                window.drop(len(window.data))
                return True
        window.drop(found.end())
        return True
    while not window.data.strip(_BLANK) and window.grow():
        pass
    lead = len(window.data) - len(window.data.lstrip(_BLANK))
    window.drop(lead)
    if window.data[:1] == b"[":
        window.drop(1)
        return True
    return False


def _values(window: _Window, in_array: bool, resync: re.Pattern[bytes]) -> Iterator[Element]:
    while True:
        used, verdict = 0, "more"
        for start, end, closes in _spans(window.data):
            if fault := _gap(window.data[used:start], in_array):
                yield Element(None, window.offset + used, start - used, fault)
            if closes:
                used, verdict = end, "closed"
                break
            element, next_start = _parsed(window, start, end, resync)
            yield element
            used = next_start
            if next_start != end:
                verdict = "resync"
                break
        window.drop(used)
        if verdict == "closed" and in_array:
            yield from _after_array(window)
            return
        if verdict == "closed":
            yield Element(None, window.offset, 1, "has a closing bracket too many")
        elif verdict == "more" and (len(window.data) > LONGEST_ELEMENT or not window.grow()):
            left_over, goes_on = _rest(window, in_array, resync)
            if left_over is not None:
                yield left_over
            if not goes_on:
                return


def _parsed(window: _Window, start: int, end: int, resync: re.Pattern[bytes]) -> tuple[Element, int]:
    """Return the element between two borders, or its fault, and where to read on."""
    data = window.data[start:end]
    try:
        return Element(orjson.loads(data), window.offset + start, end - start), end
    except orjson.JSONDecodeError as error:
        again = resync.search(data, 1)
        stop = end if again is None else start + again.start()
        return Element(None, window.offset + start, stop - start, _syntax(error)), stop


def _syntax(error: orjson.JSONDecodeError) -> str:
    """Say what the parser said, without the text it was about."""
    if "UTF-8" in error.msg or "surrogate" in error.msg:
        return "is not valid UTF-8"
    return f"is not valid JSON at its character {error.pos + 1}"


def _rest(window: _Window, in_array: bool, resync: re.Pattern[bytes]) -> tuple[Element | None, bool]:
    """Return the fault of what is left when no element ends any more, and whether a next one begins in it."""
    lead = len(window.data) - len(window.data.lstrip(_BLANK + b","))
    window.drop(lead)
    if not window.data:
        fault = "the array is not closed: the file is truncated"
        return (Element(None, window.offset, 0, fault) if in_array else None), False
    size, offset = len(window.data), window.offset
    if (again := resync.search(window.data, 1)) is not None:
        window.drop(again.start())
        return Element(None, offset, again.start(), "is not closed before the next one begins"), True
    cut = (
        "is cut off: the file is truncated" if window.ended else "is longer than 64 MB; the rest is not read"
    )
    return Element(None, offset, size, cut), False


def _after_array(window: _Window) -> Iterator[Element]:
    """Tell a second document after the end of the array, once; blanks and what closes a bundle are no fault."""
    while True:
        rest = window.data.lstrip(_BLANK)
        if rest:
            break
        window.drop(len(window.data))
        if not window.grow():
            return
    if rest[:1] not in b",}" or rest.lstrip(_BLANK + b"}")[:1] in (b"{", b"["):
        at = window.offset + len(window.data) - len(rest)
        yield Element(None, at, len(rest), "a second document follows the array; it is not read")


def _gap(between: bytes, in_array: bool) -> str:
    """Say what is wrong with the bytes between two elements; empty where nothing is."""
    text = between.strip(_BLANK)
    if text in (b"", b","):
        return ""
    return "is not an object" if in_array else "is not JSON"


def _spans(data: bytes) -> Iterator[tuple[int, int, bool]]:
    """Yield (start, end, closes) of the values at the outermost level, and of the bracket that ends their array."""
    places, deltas = _structure(data)
    if not len(places):
        return
    depth = np.cumsum(deltas)
    first_close = np.flatnonzero(depth < 0)
    limit = int(first_close[0]) if len(first_close) else len(places)
    starts = places[:limit][(deltas[:limit] == 1) & (depth[:limit] == 1)]
    ends = places[:limit][(deltas[:limit] == -1) & (depth[:limit] == 0)]
    for start, end in zip(starts.tolist(), ends.tolist(), strict=False):
        yield start, end + 1, False
    if len(first_close):
        at = int(places[limit])
        yield at, at + 1, True


def _structure(data: bytes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int8]]:
    """Return the places of brackets outside strings, and +1 for opening ones, -1 for closing ones."""
    array = np.frombuffer(data, dtype=np.uint8)
    folded = array & 0xDF  # '{' and '[' differ in one bit only, so do '}' and ']'
    opens = folded == (_OPEN[0] & 0xDF)
    places = np.flatnonzero(opens | (folded == (_CLOSE[0] & 0xDF)))
    quotes = np.flatnonzero(array == ord('"'))
    if len(quotes) and b"\\" in data:
        quotes = _unescaped(data, array, quotes)
    outside = np.searchsorted(quotes, places) % 2 == 0
    places = places[outside]
    return places, np.where(opens[places], 1, -1).astype(np.int8)


def _unescaped(
    data: bytes, array: npt.NDArray[np.uint8], quotes: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Leave out quotes after an odd number of backslashes."""
    doubtful = (quotes > 0) & (array[quotes - 1] == ord("\\"))
    keep = np.ones(len(quotes), dtype=bool)
    for index in np.flatnonzero(doubtful).tolist():
        place = int(quotes[index])
        before = data[max(0, place - 1024) : place]
        keep[index] = (len(before) - len(before.rstrip(b"\\"))) % 2 == 0
    return quotes[keep]

"""Walk over a file of JSON values by element or by line: what cannot be read is a fault with its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import orjson

from riskflow.notes.ingest.records import Collector
from riskflow.notes.ingest.scan import elements

Use = Callable[[Collector, Any, str], None]
"""What is done with a value: (collector, value, where it stands)."""


def each_element(
    handle: BinaryIO,
    collector: Collector,
    word: str,
    use: Use,
    begins: re.Pattern[bytes],
    inside: re.Pattern[bytes] | None = None,
) -> Iterator[None]:
    """Use every element of an array (see `scan.elements`); a fault says `<word> <number> at byte <offset>`."""
    for element in elements(handle, begins, inside):
        collector.units += 1
        collector.weigh(element.size)
        where = f"{word} {collector.units} at byte {element.offset}"
        if element.fault:
            collector.fault("unreadable", f"{where} {element.fault}")
        else:
            use(collector, element.value, where)
        yield


def each_line(handle: BinaryIO, collector: Collector, use: Use) -> Iterator[None]:
    """Use the value of every line that is not blank; a line that is no JSON is a fault."""
    offset = 0
    for line in handle:
        collector.units += 1
        collector.weigh(len(line))
        text = line.strip().removeprefix(b"\xef\xbb\xbf")
        if text:
            try:
                value = orjson.loads(text)
            except orjson.JSONDecodeError as error:
                collector.fault(*_line_fault(error, collector.units, offset))
            else:
                use(collector, value, f"line {collector.units}")
                yield
        offset += len(line)


def _line_fault(error: orjson.JSONDecodeError, line: int, offset: int) -> tuple[str, str]:
    if "UTF-8" in error.msg or "surrogate" in error.msg:
        return "unreadable", f"line {line} at byte {offset} is not valid UTF-8"
    return (
        "unreadable",
        f"line {line} at byte {offset} is not valid JSON from its character {error.pos + 1} on",
    )

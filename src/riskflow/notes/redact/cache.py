"""Spans of texts that were seen before: keyed by content hash and detector version, never by place or text.

A changed rule, list, model or term is another version, so that a rerun detects again only what changed. The
cache may be deleted at any time; a damaged file of it is an error that names it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from riskflow.errors import RiskflowError
from riskflow.files import replacing
from riskflow.notes.redact.spans import SPAN_SCHEMA, Detection, Detector, empty_spans

_ENTRY = {
    "text_hash": pl.Binary,
    "start": pl.UInt32,
    "end": pl.UInt32,
    "kind": pl.String,
    "source": pl.String,
}


class SpanCache:
    """The cache of one shard: `folder/<version>/<shard>.parquet`; reads what every shard has left there."""

    def __init__(self, folder: Path, shard: str, key: bytes) -> None:
        self.folder, self.shard = folder, shard
        self._secret = key
        self._key = hashlib.blake2b(key, person=b"riskflow-notes", digest_size=32).digest()
        self._last: tuple[Sequence[str], pl.Series] = ((), pl.Series("text_hash", dtype=pl.Binary))

    def of(self, what: str) -> SpanCache:
        """Return the cache of other texts of the same shard, in a folder of its own."""
        return SpanCache(self.folder / what, self.shard, self._secret)

    def detect(self, texts: Sequence[str], detector: Detector) -> tuple[Detection, int]:
        """Return the detector's findings and how many texts it had to read; failures are never cached."""
        hashes = self._hashes(texts)
        entries = self._entries(detector.version)
        known = hashes.is_in(entries["text_hash"].unique().implode())
        new = (~known).arg_true()
        fresh = detector.detect([texts[i] for i in new.to_list()]) if len(new) else Detection(empty_spans())
        found = _renumbered(fresh, new)
        cached = _cached_spans(hashes, entries)
        failed = {new[i]: reason for i, reason in fresh.failed.items()}
        spans = pl.concat([cached, found])
        self._write(detector.version, hashes, spans, failed)
        return Detection(spans, failed), len(new)

    def _hashes(self, texts: Sequence[str]) -> pl.Series:
        """Return the keyed hash of each text; detector after detector asks about the same texts."""
        last, hashes = self._last
        if last is not texts:
            keyed = hashlib.blake2b(key=self._key, digest_size=16)
            hashes = pl.Series("text_hash", [_hash(keyed, text) for text in texts], dtype=pl.Binary)
            self._last = (texts, hashes)
        return hashes

    def _folder(self, version: str) -> Path:
        return self.folder / "".join(c if c.isalnum() else "-" for c in version)

    def _entries(self, version: str) -> pl.DataFrame:
        files = sorted(self._folder(version).glob("[!.]*.parquet"))
        try:
            # polars opens a path twice; another shard's job may replace the file in between
            frames = [pl.read_parquet(path.read_bytes()).cast(_ENTRY) for path in files]  # type: ignore[arg-type]
        except (pl.exceptions.PolarsError, OSError) as error:
            raise RiskflowError(
                f"the redaction cache in {self._folder(version)} cannot be read ({type(error).__name__})",
                "delete that folder",
            ) from None
        return pl.concat(frames).unique() if frames else pl.DataFrame(schema=_ENTRY)

    def _write(self, version: str, hashes: pl.Series, spans: pl.DataFrame, failed: dict[int, str]) -> None:
        """A text without spans has one row of nulls, so that it is known to have none."""
        texts = hashes.to_frame().with_row_index("text_id").filter(~pl.col("text_id").is_in(list(failed)))
        rows = texts.join(spans, on="text_id", how="left").select(list(_ENTRY)).unique().sort(list(_ENTRY))
        with replacing(self._folder(version) / f"{self.shard}.parquet") as temporary:
            rows.write_parquet(temporary, compression="zstd", compression_level=1)


def _hash(keyed: hashlib.blake2b, text: str) -> bytes:
    hasher = keyed.copy()
    hasher.update(text.encode("utf-8", "surrogatepass"))
    return hasher.digest()


def _renumbered(fresh: Detection, new: pl.Series) -> pl.DataFrame:
    if fresh.spans.is_empty():
        return empty_spans()
    place = new.cast(pl.UInt32).gather(fresh.spans["text_id"]).alias("text_id")
    return fresh.spans.with_columns(place).select(list(SPAN_SCHEMA))


def _cached_spans(hashes: pl.Series, entries: pl.DataFrame) -> pl.DataFrame:
    texts = hashes.to_frame().with_row_index("text_id")
    return (
        texts.join(entries.drop_nulls("start"), on="text_hash")
        .select(pl.col("text_id").cast(pl.UInt32), "start", "end", "kind", "source")
        .select(list(SPAN_SCHEMA))
    )

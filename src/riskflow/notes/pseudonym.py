"""Keyed surrogates: pseudonyms by HMAC, day shifts per patient, and the key that both need.

The key never is in config, params, command lines, artifacts or logs: it is read inside the process from a
file that only its owner may read, or from the environment.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import secrets
import stat
from functools import lru_cache
from pathlib import Path

import polars as pl

from riskflow.contracts.notes_redacted import PSEUDONYM_LENGTH
from riskflow.contracts.notes_redacted import PSEUDONYM_LETTERS as LETTERS
from riskflow.errors import RiskflowError
from riskflow.jobs import local_copy

KEY_VARIABLE = "RISKFLOW_NOTES_KEY"
SHORTEST_KEY = 16
MOST_DAYS = 364
DEMO_KEY = b"riskflow demo key: known to everybody, for generated patients only"
"""The key of the demo, so that every demo run has the same pseudonyms. It protects nobody."""
_FINGERPRINT_ROUNDS = 200_000
_CREATE_HINT = "make one with: head -c 32 /dev/urandom | base64 > notes.key && chmod 600 notes.key"


def load_key(key_file: str | Path = "") -> bytes:
    """Return the secret key of the file, or of the environment variable where no file is named.

    Raises RiskflowError where there is no key, it is shorter than 16 bytes, or the file's permissions are
    wider than 0600.
    """
    raw = _file_key(Path(key_file)) if str(key_file) else os.environ.get(KEY_VARIABLE, "").strip().encode()
    if not raw:
        raise RiskflowError(
            f"no key for pseudonyms: notes.policy.key_file is empty and {KEY_VARIABLE} is not set",
            f"{_CREATE_HINT}, then set notes.policy.key_file: notes.key",
        )
    if len(raw) < SHORTEST_KEY:
        raise RiskflowError(
            f"the key for pseudonyms has {len(raw)} bytes, at least {SHORTEST_KEY} are needed", _CREATE_HINT
        )
    return raw


def _file_key(path: Path) -> bytes:
    found = local_copy(path)
    try:
        mode = stat.S_IMODE(found.stat().st_mode)
    except FileNotFoundError:
        raise RiskflowError(f"the key file {path} is not there", _CREATE_HINT) from None
    if mode & 0o077:
        raise RiskflowError(
            f"the key file {path} has permissions {mode:04o}: others may read it", f"chmod 600 {path}"
        )
    return found.read_bytes().strip()


def create_key(path: Path, key: bytes = b"") -> None:
    """Write a key (a new random one unless given) that only its owner may read; an existing file is left as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(handle, "wb") as file:
        file.write((key or secrets.token_hex(32).encode()) + b"\n")


def key_fingerprint(key: bytes) -> str:
    """Return 16 hexadecimal digits that tell keys apart; made slowly, so that a weak key is not guessed from them."""
    return hashlib.pbkdf2_hmac("sha256", key, b"riskflow notes key", _FINGERPRINT_ROUNDS).hex()[:16]


def keyed_hash(key: bytes, *parts: str) -> str:
    """Return 32 hexadecimal digits that only the holder of the key can compute from the parts."""
    return _mac(key, "hash", *parts).hex()[:32]


def pseudonym(key: bytes, *parts: str) -> str:
    """Return 16 consonants (69 bits) for the parts: the same key and parts give the same, another key another."""
    number = int.from_bytes(_mac(key, "pseudonym", *parts), "big") % len(LETTERS) ** PSEUDONYM_LENGTH
    letters = []
    for _ in range(PSEUDONYM_LENGTH // 2):
        number, place = divmod(number, len(_PAIRS))
        letters.append(_PAIRS[place])
    return "".join(letters)


_PAIRS = [first + second for second in LETTERS for first in LETTERS]
"""Two letters at a time: the number's last digit first."""


def pseudonyms(key: bytes, scope: str, values: pl.Series) -> pl.Series:
    """Return the pseudonym of each value (null for null): equal values of a scope have equal pseudonyms."""
    unique = values.drop_nulls().unique()
    table = {value: pseudonym(key, scope, str(value)) for value in unique}
    return values.replace_strict(table, default=None, return_dtype=pl.String)


def shift_days(key: bytes, patient_id: str) -> int:
    """Return the days by which all dates of a patient move: -364 to 364, never 0."""
    place = int.from_bytes(_mac(key, "shift", patient_id), "big") % (2 * MOST_DAYS)
    return place - MOST_DAYS + (place >= MOST_DAYS)


def shifted(key: bytes, patient_id: str, day: dt.date) -> dt.date:
    """Return the day moved by the patient's shift; intervals between a patient's days stay as they are."""
    return day + dt.timedelta(days=shift_days(key, patient_id))


def _mac(key: bytes, *parts: str) -> bytes:
    """Return the HMAC-SHA-256 of the parts, each with its length before it."""
    inner, outer = (pad.copy() for pad in _pads(key))
    for part in parts:
        told = part.encode()
        inner.update(len(told).to_bytes(4, "big") + told)
    outer.update(inner.digest())
    return outer.digest()


@lru_cache(maxsize=8)
def _pads(key: bytes) -> tuple[hashlib._Hash, hashlib._Hash]:
    """Return the two hashes of RFC 2104 as they are after the key: a third of the time of hashing it anew each time."""
    block = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    inner, outer = (hashlib.sha256(bytes(byte ^ mask for byte in block)) for mask in (0x36, 0x5C))
    return inner, outer


_BLOCK = 64
"""Bytes that SHA-256 takes at a time."""

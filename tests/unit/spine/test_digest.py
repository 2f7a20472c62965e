"""Digests of sources: every edit is seen, whatever its date; a touch changes nothing; big files are read once."""

import hashlib
import os
from pathlib import Path

import pytest

from riskflow.errors import RiskflowError
from riskflow.sources.digest import source_digest


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.csv"
    path.write_text("npi\n1234567893\n")
    return path


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "digests.json"


def test_it_is_the_sha256_of_the_bytes(source: Path, memory: Path) -> None:
    assert source_digest(source, memory) == hashlib.sha256(source.read_bytes()).hexdigest()


def test_an_edit_with_an_old_date_is_seen(source: Path, memory: Path) -> None:
    before = source_digest(source, memory)
    source.write_text("npi\n1234567894\n")
    os.utime(source, (1, 1))
    assert source_digest(source, memory) != before


def test_an_edit_of_the_same_size_in_place_with_its_old_date_put_back_is_seen(
    source: Path, memory: Path
) -> None:
    before, status = source_digest(source, memory), source.stat()
    with source.open("r+") as handle:
        handle.seek(4)
        handle.write("9")
    os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))
    after = source.stat()
    assert (after.st_ino, after.st_size, after.st_mtime_ns) == (
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
    )
    assert source_digest(source, memory) != before


def test_a_replaced_file_with_the_same_date_is_seen(source: Path, memory: Path, tmp_path: Path) -> None:
    before, status = source_digest(source, memory), source.stat()
    other = tmp_path / "other"
    other.write_text("npi\n1234567894\n")
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(source)
    assert source_digest(source, memory) != before


def test_a_touch_changes_nothing(source: Path, memory: Path) -> None:
    before = source_digest(source, memory)
    os.utime(source, (2_000_000_000, 2_000_000_000))
    assert source_digest(source, memory) == before


def test_an_untouched_file_is_not_read_again(
    source: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = source_digest(source, memory)
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("read again"))
    assert source_digest(source, memory) == before


@pytest.mark.parametrize("content", ["", "{", "[]", '{"x": 1}'])
def test_a_damaged_memory_is_forgotten(source: Path, memory: Path, content: str) -> None:
    before = source_digest(source, memory)
    memory.write_text(content.replace('"x"', f'"{source}"'))
    assert source_digest(source, memory) == before


def test_several_files_are_remembered_side_by_side(source: Path, memory: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("x")
    first, second = source_digest(source, memory), source_digest(other, memory)
    assert (source_digest(source, memory), source_digest(other, memory)) == (first, second)
    assert first != second


def test_a_missing_file_says_so(memory: Path, tmp_path: Path) -> None:
    with pytest.raises(RiskflowError, match=r"source file not found: .*gone\.csv"):
        source_digest(tmp_path / "gone.csv", memory)

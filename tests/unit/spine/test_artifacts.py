"""Artifacts: one writer, byte-reproducible, all or nothing, and strict about keys and contracts."""

import errno
import itertools
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from riskflow import artifacts
from riskflow.contracts.base import Contract, at_least, column, finite, not_empty
from riskflow.errors import RiskflowError

PEOPLE = Contract(
    name="people",
    version=2,
    title="A row per person and year",
    key=("person", "year"),
    columns={
        "person": column(pl.String, "Who", not_empty(), nullable=True),
        "year": column(pl.Int64, "Year", at_least(1900)),
        "weight": column(pl.Float64, "Kilograms", finite()),
    },
)
LISTS = Contract(
    name="lists",
    version=1,
    title="Lists of numbers and of texts",
    key=("n",),
    columns={
        "n": column(pl.Int64, "A number"),
        "numbers": column(pl.List(pl.Float64), "Numbers"),
        "texts": column(pl.List(pl.String), "Texts"),
    },
)
KEYLESS = Contract("keyless", 1, "No key", (), {"n": column(pl.Int64, "A number")})

WRITE_IN_A_PROCESS = """
import sys
from pathlib import Path
import polars as pl
from riskflow import artifacts
from tests.unit.spine.test_artifacts import PEOPLE, people
seed, path = sys.argv[1:]
artifacts.write(people(300_000).sample(fraction=1.0, shuffle=True, seed=int(seed)), Path(path), PEOPLE)
print(pl.thread_pool_size())
"""
REPOSITORY = Path(__file__).resolve().parents[3]


def people(rows: int) -> pl.DataFrame:
    """Return distinct people with weights that a float sum would notice."""
    return pl.select(
        pl.format("p{}", pl.int_range(rows) * 7919 % rows).alias("person"),
        (pl.int_range(rows) % 30 + 1990).cast(pl.Int64).alias("year"),
        (pl.int_range(rows) / 7).cast(pl.Float64).alias("weight"),
    )


def written_by_a_process(path: Path, threads: int, seed: int) -> bytes:
    environment = os.environ | {"POLARS_MAX_THREADS": str(threads), "PYTHONPATH": f"src:{REPOSITORY}"}
    done = subprocess.run(
        [sys.executable, "-c", WRITE_IN_A_PROCESS, str(seed), str(path)],
        env=environment,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(threads)
    return path.read_bytes()


def test_same_bytes_at_any_thread_count_and_row_order(tmp_path: Path) -> None:
    first = written_by_a_process(tmp_path / "a.parquet", threads=1, seed=1)
    second = written_by_a_process(tmp_path / "b.parquet", threads=2, seed=2)
    assert first == second
    assert pl.read_parquet_metadata(tmp_path / "a.parquet")["riskflow.version"] == "2"


def test_chunks_of_the_frame_leave_no_trace_in_the_bytes(tmp_path: Path) -> None:
    whole = people(1000)
    pieces = pl.concat([whole[600:], whole[:600]], rechunk=False)
    assert pieces.n_chunks() > 1
    artifacts.write(whole, tmp_path / "a.parquet", PEOPLE)
    artifacts.write(pieces, tmp_path / "b.parquet", PEOPLE)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


@pytest.mark.parametrize(
    "cuts", [[1], [200_000], [10, 100_000, 262_144, 299_999], list(range(0, 300_000, 7_777))]
)
def test_pieces_that_are_in_order_already_leave_no_trace_either(tmp_path: Path, cuts: list[int]) -> None:
    n = pl.int_range(300_000, eager=True)
    rows = pl.DataFrame({"n": n}).with_columns(
        pl.concat_list([pl.col("n") * share for share in (0.1, 0.7, 1.3)] * 3).alias("numbers"),
        pl.concat_list([(pl.col("n") % share).cast(pl.String) for share in (7, 101)] * 2).alias("texts"),
    )
    edges = [0, *cuts, rows.height]
    pieces = pl.concat([rows[a:b].rechunk() for a, b in itertools.pairwise(edges)], rechunk=False)
    artifacts.write(rows.rechunk(), tmp_path / "a.parquet", LISTS)
    artifacts.write(pieces, tmp_path / "b.parquet", LISTS)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert artifacts.read(tmp_path / "b.parquet", LISTS).equals(rows)


@pytest.mark.parametrize("late", [artifacts.ROW_GROUP_ROWS, artifacts.ROW_GROUP_ROWS + 1, 299_999])
def test_a_key_repeated_in_a_later_block_is_seen(tmp_path: Path, late: int) -> None:
    frame = people(300_000).sort("person", "year")
    repeated = pl.concat([frame[:late], frame[late - 1 : late], frame[late:]])
    with pytest.raises(RiskflowError, match=r"1 rows repeat the key"):
        artifacts.write(repeated, tmp_path / "a.parquet", PEOPLE)


def test_a_promise_broken_in_a_later_block_is_seen(tmp_path: Path) -> None:
    frame = people(300_000).sort("person", "year")
    broken = pl.concat([frame[:-1], frame[-1:].with_columns(pl.lit(float("inf")).alias("weight"))])
    with pytest.raises(RiskflowError, match=r"weight is a finite number \(1 rows, first at row 299999\)"):
        artifacts.write(broken, tmp_path / "a.parquet", PEOPLE)


def test_what_is_read_is_what_was_written_in_key_order(tmp_path: Path) -> None:
    frame = people(500)
    artifact = artifacts.write(frame, tmp_path / "a.parquet", PEOPLE)
    assert artifacts.read(tmp_path / "a.parquet", PEOPLE).equals(frame.sort("person", "year"))
    assert artifacts.scan(tmp_path / "a.parquet", PEOPLE).collect().equals(frame.sort("person", "year"))
    assert artifacts.read(tmp_path / "a.parquet", PEOPLE, ["year"]).columns == ["year"]
    assert (artifact.rows, artifact.contract) == (500, "people")


def test_an_empty_artifact_has_its_schema(tmp_path: Path) -> None:
    artifacts.write(PEOPLE.empty(), tmp_path / "a.parquet", PEOPLE)
    assert artifacts.read(tmp_path / "a.parquet", PEOPLE).schema == pl.Schema(PEOPLE.schema)


def test_rows_without_a_key_keep_their_order(tmp_path: Path) -> None:
    frame = pl.DataFrame({"n": [3, 1, 2, 1]})
    artifacts.write(frame, tmp_path / "a.parquet", KEYLESS)
    assert artifacts.read(tmp_path / "a.parquet", KEYLESS).equals(frame)


@pytest.mark.parametrize("people_", [["b", "a", "b"], ["a", "b", "b"], [None, None, "a"]])
def test_a_repeated_key_is_refused_and_leaves_no_file(tmp_path: Path, people_: list[str | None]) -> None:
    frame = pl.DataFrame({"person": people_, "year": [2000] * 3, "weight": [1.0, 2.0, 3.0]})
    with pytest.raises(RiskflowError, match=r"1 rows repeat the key \(person, year\)"):
        artifacts.write(frame, tmp_path / "a.parquet", PEOPLE)
    assert list(tmp_path.iterdir()) == []


def test_a_null_key_sorts_first_and_is_unique(tmp_path: Path) -> None:
    frame = pl.DataFrame({"person": ["a", None], "year": [2000, 2001], "weight": [1.0, 2.0]})
    artifacts.write(frame, tmp_path / "a.parquet", PEOPLE)
    assert artifacts.read(tmp_path / "a.parquet", PEOPLE)["person"].to_list() == [None, "a"]


def test_a_broken_promise_leaves_the_old_artifact(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    artifacts.write(people(10), path, PEOPLE)
    before = path.read_bytes()
    with pytest.raises(RiskflowError, match="weight is a finite number"):
        artifacts.write(people(10).with_columns(weight=float("nan")), path, PEOPLE)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.parquet"]


def test_a_failure_in_mid_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(OSError, match="no space"), artifacts.replacing(path) as temporary:
        temporary.write_text("half")
        raise OSError("no space")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_the_new_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.txt"
    with artifacts.replacing(path) as temporary:
        temporary.write_text("new")
        assert temporary.parent == path.parent
        assert not path.exists()
    assert path.read_text() == "new"


def test_the_wrong_artifact_is_named_with_the_right_one(tmp_path: Path) -> None:
    artifacts.write(pl.DataFrame({"n": [1]}), tmp_path / "a.parquet", KEYLESS)
    with pytest.raises(RiskflowError, match=r"holds keyless v1, not people v2"):
        artifacts.read(tmp_path / "a.parquet", PEOPLE)
    pl.DataFrame({"n": [1]}).write_parquet(tmp_path / "b.parquet")
    with pytest.raises(RiskflowError, match="holds no riskflow artifact"):
        artifacts.scan(tmp_path / "b.parquet", PEOPLE)


def test_a_missing_artifact_says_so(tmp_path: Path) -> None:
    with pytest.raises(RiskflowError, match=r"artifact people is not there: .*a\.parquet"):
        artifacts.read(tmp_path / "a.parquet", PEOPLE)


def test_a_file_cut_short_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    artifacts.write(people(1000), path, PEOPLE)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(RiskflowError, match=r"a\.parquet is not a whole parquet file"):
        artifacts.read(path, PEOPLE)


def test_the_content_digest_ignores_provenance_and_sees_rows(tmp_path: Path) -> None:
    def written(name: str, provenance: str, frame: pl.DataFrame) -> artifacts.Artifact:
        with artifacts.ledger(provenance):
            return artifacts.write(frame, tmp_path / name, PEOPLE)

    first = written("a.parquet", "code 1", people(5000))
    second = written("b.parquet", "other code", people(5000))
    third = written("c.parquet", "code 1", people(5000).with_columns(pl.col("weight") + 1e-9))
    assert (tmp_path / "a.parquet").read_bytes() != (tmp_path / "b.parquet").read_bytes()
    assert first.digest == second.digest != third.digest


def test_the_content_digest_sees_a_renamed_column(tmp_path: Path) -> None:
    renamed = Contract("keyless", 1, "No key", (), {"m": column(pl.Int64, "A number")})
    first = artifacts.write(pl.DataFrame({"n": [1, 2]}), tmp_path / "a.parquet", KEYLESS)
    second = artifacts.write(pl.DataFrame({"m": [1, 2]}), tmp_path / "b.parquet", renamed)
    assert first.digest != second.digest


def test_a_ledger_collects_reads_and_writes_and_gives_way_to_the_one_before(tmp_path: Path) -> None:
    with artifacts.ledger("outer") as outer:
        artifacts.write(people(3), tmp_path / "a.parquet", PEOPLE)
        with artifacts.ledger("inner") as inner:
            artifacts.read(tmp_path / "a.parquet", PEOPLE)
    assert [a.rows for a in outer.outputs] == [3] and outer.inputs == []
    assert inner.inputs == outer.outputs and inner.outputs == []
    assert pl.read_parquet_metadata(tmp_path / "a.parquet")["riskflow.provenance"] == "outer"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_full_disk_or_forbidden_folder_names_the_file_and_leaves_nothing(tmp_path: Path, code: int) -> None:
    path = tmp_path / "a.txt"
    with (
        pytest.raises(RiskflowError, match=rf"cannot write .*a\.txt: {os.strerror(code)}"),
        artifacts.replacing(path) as temporary,
    ):
        temporary.write_text("half")
        raise OSError(code, os.strerror(code))
    assert list(tmp_path.iterdir()) == []


def test_a_full_file_system_leaves_the_old_artifact(small_file_system: Path) -> None:
    path = small_file_system / "a.parquet"
    artifacts.write(people(10), path, PEOPLE)
    before = path.read_bytes()
    with pytest.raises(RiskflowError, match=r"cannot write .*a\.parquet: No space left"):
        artifacts.write(people(300_000), path, PEOPLE)
    assert path.read_bytes() == before
    assert list(small_file_system.iterdir()) == [path]

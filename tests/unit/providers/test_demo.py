"""The demo: same seed same bytes, dirt exactly as planted, planted traits visible in the data."""

import hashlib
from pathlib import Path

import polars as pl
import pytest

from riskflow.providers import demo, demo_files, demo_layout, demo_tables, ingest, npi, raw
from riskflow.quarantine import QUARANTINE

SPEC = demo.DemoSpec(providers=3_000, seed=11)
TABLES = ("registry", "payments", "exclusions", "ownership")
# kinds of dirt that are kept: facts to survive, not rows to drop
KEPT = {"state_missing", "taxonomy_missing", "check_digit_wrong", "negative_payments", "claims_missing"}


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demo")
    demo_files.write_demo(SPEC, path)
    return path


@pytest.fixture(scope="module")
def tables(folder: Path) -> dict[str, ingest.Ingested]:
    sources = demo_layout.sources(folder)
    return {name: ingest.ingest(raw.files(sources[name], name), sources[name], name) for name in TABLES}


def test_same_seed_same_bytes_other_seed_other_bytes(folder: Path, tmp_path: Path) -> None:
    demo_files.write_demo(SPEC, tmp_path / "again")
    demo_files.write_demo(demo.DemoSpec(providers=3_000, seed=12), tmp_path / "other")
    assert digests(folder) == digests(tmp_path / "again")
    assert not set(digests(folder).values()) & set(digests(tmp_path / "other").values()) - {
        digests(folder)["dirt.csv"]
    }


def test_all_dirt_is_found_and_nothing_else(folder: Path, tables: dict[str, ingest.Ingested]) -> None:
    planted = pl.read_csv(folder / "dirt.csv")
    for name, result in tables.items():
        expected = planted.filter((pl.col("table") == name) & ~pl.col("kind").is_in(KEPT))["rows"].sum()
        assert result.quarantined.height == expected > 0
        assert result.read == result.kept.height + result.quarantined.height
        ingest.TABLES[name].contract.validate(result.kept)
        QUARANTINE.validate(result.quarantined)


def test_kept_dirt_is_there(folder: Path, tables: dict[str, ingest.Ingested]) -> None:
    planted = dict(pl.read_csv(folder / "dirt.csv").select("kind", "rows").rows())
    registry, payments = tables["registry"].kept, tables["payments"].kept
    assert registry["state"].null_count() == planted["state_missing"]
    assert registry["taxonomy"].null_count() == planted["taxonomy_missing"]
    assert (~registry["npi_luhn_ok"]).sum() == planted["check_digit_wrong"]
    assert (payments["payments_cents"] < 0).sum() == planted["negative_payments"]
    assert payments["claims"].null_count() == planted["claims_missing"]
    assert registry["display_name"].str.contains("[éíñüú]").any()


def test_no_dirt_when_none_is_asked_for(tmp_path: Path) -> None:
    demo_files.write_demo(demo.DemoSpec(providers=500, dirt=0), tmp_path)
    sources = demo_layout.sources(tmp_path)
    for name in TABLES:
        assert ingest.ingest(raw.files(sources[name], name), sources[name], name).quarantined.height == 0


def test_parquet_holds_the_same_rows_as_csv(tmp_path: Path, tables: dict[str, ingest.Ingested]) -> None:
    demo_files.write_demo(SPEC, tmp_path, "parquet")
    sources = demo_layout.sources(tmp_path, "parquet")
    for name in TABLES:
        assert ingest.ingest(raw.files(sources[name], name), sources[name], name).kept.equals(
            tables[name].kept
        )


def test_blocks_differ_and_fit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (demo, demo_tables):
        monkeypatch.setattr(module, "BLOCK", 400)
    spec = demo.DemoSpec(providers=1_000, dirt=0)
    people, dirt = demo.population(spec), demo.Dirt()
    blocks = list(demo.payments(people, spec, dirt))
    place = pl.DataFrame({"npi": people.npi.astype(str), "place": range(1_000)})
    first, second, _ = [
        set(block.join(place, on="npi").select(pl.col("place") % 400, "year", "program").rows())
        for block in blocks
    ]
    assert len(first & second) < 0.8 * len(
        first
    )  # the same draws in each block would agree almost everywhere
    listed = pl.concat(demo_tables.registry(people, spec, dirt))
    assert set(people.npi.tolist()) <= set(listed["npi"].cast(pl.Int64)) and listed.height == 1_100


def test_npis_never_repeat_and_have_a_check_digit() -> None:
    numbers = pl.Series("n", demo.npi_numbers(0, 200_000, 3))
    assert numbers.n_unique() == 200_000
    assert numbers.to_frame().select(npi.is_valid(pl.col("n")).all()).item()
    assert demo.npi_numbers(70_000, 10, 3).tolist() == numbers[70_000:70_010].to_list()


@pytest.mark.parametrize(
    ("number", "valid"), [(1_234_567_893, True), (1_234_567_890, False), (1_679_576_722, True)]
)
def test_check_digit_of_published_npis(number: int, valid: bool) -> None:
    assert pl.DataFrame({"n": [number]}).select(npi.is_valid(pl.col("n"))).item() is valid


def test_planted_traits_are_visible(folder: Path, tables: dict[str, ingest.Ingested]) -> None:
    truth = pl.read_csv(folder / "truth.csv").select("npi", "planted")
    paid = tables["payments"].kept.filter(pl.col("payments_cents") > 0).join(truth, on="npi")
    price = paid.group_by("planted").agg(
        (pl.col("payments_cents") / pl.col("claims")).median().alias("price")
    )
    prices = dict(price.rows())
    assert prices["billing_outlier"] > 3 * prices["none"]
    total = paid.group_by("planted", "year").agg(pl.col("payments_cents").mean())
    growth = (
        total.sort("planted", "year")
        .group_by("planted")
        .agg(pl.col("payments_cents").last() / pl.col("payments_cents").first())
    )
    growths = dict(growth.rows())
    assert growths["growth_spurt"] > 5 * growths["none"]
    program = paid.group_by("npi", "planted", "program").agg(pl.col("payments_cents").sum())
    top = program.group_by("npi", "planted").agg(
        pl.col("payments_cents").max() / pl.col("payments_cents").sum()
    )
    shares = dict(top.group_by("planted").agg(pl.col("payments_cents").min()).rows())
    assert shares["concentrated"] > 0.9 > shares["none"]


def test_exclusions_of_every_kind_are_planted(folder: Path, tables: dict[str, ingest.Ingested]) -> None:
    listed = tables["exclusions"].kept
    truth = pl.read_csv(folder / "truth.csv", try_parse_dates=True).filter(
        pl.col("excluded_on").is_not_null()
    )
    assert 0.05 < listed["npi"].is_not_null().mean() < 0.15
    assert listed["rein_date"].is_not_null().any() and listed["waived"].any()
    found = listed.join(truth, on="npi")
    assert found.height == truth.height and (found["excl_date"] == found["excluded_on"]).all()
    owners = tables["ownership"].kept.drop_nulls("owner_npi")
    assert owners.join(listed, left_on="owner_npi", right_on="npi", how="semi").height > 0

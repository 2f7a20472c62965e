"""Ingest: dirt goes to quarantine by its rule and line, read = kept + quarantined, nothing depends on order."""

import datetime as dt
import gzip
import json
from pathlib import Path

import polars as pl
import pytest

from riskflow.config.providers import TableSource
from riskflow.errors import RiskflowError
from riskflow.providers import ingest, raw
from riskflow.quarantine import QUARANTINE
from tests.paths import shared_data
from tests.unit.providers.real_extract import layout

HEADERS = {
    "registry": "npi,taxonomy,state,entity_type,display_name,updated_at",
    "payments": "npi,year,program,payments,claims,beneficiaries",
    "exclusions": "npi,name,dob,state,excl_type,excl_date,rein_date,waiver_date,waiver_state",
    "ownership": "owner_id,owner_kind,owner_name,owner_npi,owned_npi,owned_id,role,pct,since,holding_company,reit",
}


def ingested(folder: Path, table: str, *lines: str, date_format: str = "%Y%m%d") -> ingest.Ingested:
    path = folder / f"{table}.csv"
    path.write_text("\n".join([HEADERS[table], *lines]) + "\n", encoding="utf-8")
    result = ingest.ingest([path], TableSource(date_format=date_format), table)
    ingest.TABLES[table].contract.validate(result.kept)
    QUARANTINE.validate(result.quarantined)
    assert result.read == len(lines) == result.kept.height + result.quarantined.height
    return result


def broken(result: ingest.Ingested) -> list[tuple[str, int]]:
    return result.quarantined.sort("line").select("rule_id", "line").rows()


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("M857615100,2020,Medicaid,1,1,1", "payments.npi_invalid"),
        ("857615100,2020,Medicaid,1,1,1", "payments.npi_invalid"),
        ("0123456789,2020,Medicaid,1,1,1", "payments.npi_invalid"),
        ("01000000001,2020,Medicaid,1,1,1", "payments.npi_invalid"),
        ("1.23456789e9,2020,Medicaid,1,1,1", "payments.npi_invalid"),
        (",2020,Medicaid,999,1,1", "payments.npi_missing"),
        (" ,2020,Medicaid,999,1,1", "payments.npi_invalid"),
        ("1000000001,0000,Medicaid,1,1,1", "payments.year_invalid"),
        ("1000000001,20x0,Medicaid,1,1,1", "payments.year_invalid"),
        ("1000000001,2020,,1,1,1", "payments.program_missing"),
        ("1000000001,2020,Medicaid,,1,1", "payments.amount_unreadable"),
        ("1000000001,2020,Medicaid,$5,1,1", "payments.amount_unreadable"),
        ("1000000001,2020,Medicaid,NaN,1,1", "payments.amount_unreadable"),
        ("1000000001,2020,Medicaid,1e30,1,1", "payments.amount_unreadable"),
        ("1000000001,2020,Medicaid,1,1.5,1", "payments.claims_unreadable"),
        ("1000000001,2020,Medicaid,1,1,many", "payments.beneficiaries_unreadable"),
        ("1000000001,2020,Medicaid,1,-1,1", "payments.count_negative"),
    ],
)
def test_bad_payment_goes_to_quarantine_with_rule_and_line(tmp_path: Path, line: str, rule: str) -> None:
    result = ingested(tmp_path, "payments", "1000000001,2020,Medicaid,10,2,1", line)
    assert broken(result) == [(rule, 3)]
    assert result.quarantined["source"].to_list() == ["payments.csv"]
    assert json.loads(result.quarantined["row"][0])["year"] == line.split(",")[1]


def test_good_payments_are_typed(tmp_path: Path) -> None:
    result = ingested(
        tmp_path,
        "payments",
        "1000000002,2021, Medicare ,-49750.4,30864.0,",
        "1000000001,2020,Medicaid,478065.50000000006,,7",
    )
    assert result.kept.rows() == [
        (1_000_000_001, 2020, "Medicaid", 47_806_550, None, 7),
        (1_000_000_002, 2021, "Medicare", -4_975_040, 30_864, None),
    ]


def test_repeated_payment_is_quarantined_and_parts_are_kept(tmp_path: Path) -> None:
    lines = [f"1000000001,2020,Medicaid,{amount},2," for amount in ("10", "10.00", "11")]
    result = ingested(tmp_path, "payments", *lines, "1000000001,2020,Medicaid,10,2,1")
    assert broken(result) == [("payments.repeated_row", 3)]
    assert result.kept["payments_cents"].to_list() == [1_000, 1_000, 1_100]
    assert result.kept["beneficiaries"].to_list() == [None, 1, None]


def test_row_order_does_not_change_what_is_kept(tmp_path: Path) -> None:
    lines = [f"100000000{n % 4 + 1},20{10 + n % 3},{'AB'[n % 2]},{n % 5},{n % 2},1" for n in range(40)]
    once, again = ingested(tmp_path, "payments", *lines), ingested(tmp_path, "payments", *reversed(lines))
    assert once.kept.equals(again.kept)
    key = ["npi", "year", "program", "payments_cents", "claims"]
    assert once.kept.equals(once.kept.sort(key))


def test_table_without_rows_is_an_empty_table(tmp_path: Path) -> None:
    for table in HEADERS:
        assert ingested(tmp_path, table).kept.height == 0


def test_registry_keeps_the_row_updated_last(tmp_path: Path) -> None:
    result = ingested(
        tmp_path,
        "registry",
        "1234567893,207Q00000X,CA,1,New,20220101",
        "1234567893,207R00000X,NV,1,Old,20100101",
        "1234567893,207R00000X,NV,1,Undated,",
        "1234567890,,Unknown,NPI-2,,",
    )
    assert broken(result) == [("registry.older_record", 3), ("registry.older_record", 4)]
    assert result.kept.select(
        "npi", "taxonomy", "state", "entity_type", "display_name", "npi_luhn_ok"
    ).rows() == [
        (1_234_567_890, None, None, "organization", None, False),
        (1_234_567_893, "207Q00000X", "CA", "individual", "New", True),
    ]


def test_dates_that_cannot_be_read_are_quarantined_never_lost(tmp_path: Path) -> None:
    registry = ingested(tmp_path, "registry", "1234567893,,,,,2022-01-01")
    assert broken(registry) == [("registry.updated_at_unreadable", 2)]


def test_exclusions_without_npi_or_end_are_kept(tmp_path: Path) -> None:
    result = ingested(
        tmp_path,
        "exclusions",
        "0000000000,ACME INC,00000000,TX,1128a1,20200120,00000000,00000000,",
        "1234567893,DOE,19700101,TX,1128b4,20200120,20210101,20200601,TX",
        "123456789,BAD NPI,,TX,1128b4,20200120,,,",
        "0000000000,NO DATE,,TX,1128b4,00000000,,,",
        "0000000000,ODD DATE,,TX,1128b4,20209999,,,",
        "0000000000,ODD END,,TX,1128b4,20200101,soon,,",
        "0000000000,,,TX,1128b4,20200101,,,",
    )
    assert [rule for rule, _ in broken(result)] == [
        "exclusions.npi_unreadable",
        "exclusions.date_missing",
        "exclusions.date_missing",
        "exclusions.rein_date_unreadable",
        "exclusions.nobody_named",
    ]
    none, doe = result.kept.sort("npi", nulls_last=False).to_dicts()
    assert (none["npi"], none["rein_date"], none["waived"], none["dob"]) == (None, None, False, None)
    assert (doe["rein_date"], doe["waived"], doe["waiver_state"]) == (dt.date(2021, 1, 1), True, "TX")


def test_supplement_updates_an_exclusion_instead_of_repeating_it(tmp_path: Path) -> None:
    first = "1234567893,DOE,19700101,TX,1128b4,20200120,00000000,,"
    ended = "1234567893,DOE,19700101,TX,1128b4,20200120,20230101,,"
    for lines in ([first, ended, first], [ended, first, first]):
        result = ingested(tmp_path, "exclusions", *lines)
        assert result.kept["rein_date"].to_list() == [dt.date(2023, 1, 1)]
        assert {rule for rule, _ in broken(result)} == {"exclusions.repeated_row"}
    again = ingested(tmp_path, "exclusions", first)
    assert again.kept["exclusion_id"].to_list() == result.kept["exclusion_id"].to_list()


def test_month_of_exclusion_is_its_last_day(tmp_path: Path) -> None:
    result = ingested(tmp_path, "exclusions", "1234567893,DOE,,TX,x,02/2024,,,", date_format="%m/%Y")
    assert result.kept["excl_date"].to_list() == [dt.date(2024, 2, 29)]


def test_ownership_ids_are_exact_keys(tmp_path: Path) -> None:
    result = ingested(
        tmp_path,
        "ownership",
        ",,Acme  Holdings, Inc.,,1234567893,,owner,50,20200101,yes,no".replace(
            "Acme  Holdings, Inc.", '"Acme  Holdings, Inc."'
        ),
        "I1,I,Doe,1234567893,,O1,director,,,no,no",
        "I1,I,Doe,,1234567893x,,director,,,no,no",
        "I1,I,Doe,,,,director,,,no,no",
        "I1,X,Doe,,1234567893,,director,,,no,no",
        "I1,I,Doe,,1234567893,,director,250,,no,no",
        "I1,I,Doe,,1234567893,,,5,,no,no",
        "I1,I,Doe,,1234567893,,director,5,someday,no,no",
        ",,,,1234567893,,director,5,,no,no",
    )
    assert [rule.removeprefix("ownership.") for rule, _ in broken(result)] == [
        "owned_npi_unreadable",
        "owned_missing",
        "owner_kind_unknown",
        "pct_unreadable",
        "role_missing",
        "since_unreadable",
        "owner_missing",
    ]
    person, acme = result.kept.to_dicts()
    assert (acme["owner_id"], acme["owned_id"], acme["flags"]) == (
        "name:ACME HOLDINGS INC|",
        "npi:1234567893",
        "holding_company",
    )
    assert (person["owner_id"], person["owned_id"], person["pct"], person["role"]) == (
        "I1",
        "O1",
        None,
        "DIRECTOR",
    )


def test_renamed_columns_cp1252_and_gzip_are_read_together(tmp_path: Path) -> None:
    old = "NPI,Year,PROGRAM,Payments,TOTAL_CLAIMS\n1000000001,2019,Medicaid,1,2\n"
    new = "TOTAL_CLAIM_LINES;npi;year;program;payments\n3;1000000001;2020;Médicaid;1\n"
    with gzip.open(tmp_path / "p1.csv.gz", "wb") as handle:
        handle.write(old.encode("cp1252"))
    (tmp_path / "p2.csv").write_bytes(new.replace(";", ",").encode("cp1252"))
    table = TableSource(
        path=f"{tmp_path}/p*.csv*", encoding="cp1252", columns={"claims": "total_claims|total_claim_lines"}
    )
    result = ingest.ingest(raw.files(table, "payments"), table, "payments")
    assert result.kept.select("year", "program", "claims").rows() == [
        (2019, "Medicaid", 2),
        (2020, "Médicaid", 3),
    ]


def test_parquet_and_duckdb_give_what_csv_gives(tmp_path: Path) -> None:
    import duckdb

    rows = pl.DataFrame(
        {
            "npi": [1_000_000_001, 85, None],
            "year": [2020, 2020, 2020],
            "program": ["Medicaid"] * 3,
            "payments": [1.005, 2.0, 3.0],
            "claims": [1.0, 2.0, 3.0],
            "beneficiaries": [None, 1, 1],
        }
    )
    rows.write_parquet(tmp_path / "t.parquet")
    rows.write_csv(tmp_path / "t.csv")
    with duckdb.connect(str(tmp_path / "t.duckdb")) as connection:
        connection.execute(
            "CREATE TABLE paid AS SELECT * FROM read_parquet(?)", [str(tmp_path / "t.parquet")]
        )
    results = [
        ingest.ingest([tmp_path / name], TableSource(table="paid"), "payments")
        for name in ("t.csv", "t.parquet", "t.duckdb")
    ]
    assert results[0].kept.rows() == results[1].kept.rows() == results[2].kept.rows()
    assert [result.quarantined["line"].to_list() for result in results] == [[3, 4], [2, 3], [2, 3]]


def test_unreadable_sources_are_clear_errors(tmp_path: Path) -> None:
    secret = "SECRET"
    cases = {
        "npi,year\n1,2\n": "lacks the column of program",
        f"{HEADERS['payments']}\n1,2,3,4,5,6,{secret}\n": "more fields than its header",
        f"{HEADERS['payments']}\n1,2,{secret}\xe9,4,5,6\n": "is not UTF-8 text",
    }
    for content, message in cases.items():
        (tmp_path / "p.csv").write_bytes(content.encode("latin-1"))
        with pytest.raises(RiskflowError, match=message) as error:
            ingest.ingest([tmp_path / "p.csv"], TableSource(), "payments")
        assert secret not in str(error.value)
    with pytest.raises(RiskflowError, match="claimz is no column of payments"):
        ingest.ingest([tmp_path / "p.csv"], TableSource(columns={"claimz": "x"}), "payments")
    with pytest.raises(RiskflowError, match="no file matches"):
        raw.files(TableSource(path=f"{tmp_path}/none*.csv"), "payments")


def test_batches_do_not_change_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"100000000{n % 7 + 1},20{10 + n % 5},A,{n % 3},1,{n % 2}" for n in range(60)] + [
        "x,2020,A,1,1,1"
    ]
    whole = ingested(tmp_path, "payments", *lines)
    monkeypatch.setattr(raw, "BATCH_ROWS", 7)
    cut = ingested(tmp_path, "payments", *lines)
    assert whole.kept.equals(cut.kept) and whole.quarantined.equals(cut.quarantined)


@pytest.mark.parametrize(
    ("table", "read", "rules"),
    [
        ("registry", 24_510, {"registry.npi_invalid": 94}),
        ("payments", 146_569, {"payments.npi_invalid": 144}),
        ("exclusions", 8_301, {}),
        ("ownership", 22_302, {"ownership.repeated_row": 6}),
    ],
)
def test_real_extract(table: str, read: int, rules: dict[str, int]) -> None:
    source = layout(table)
    result = ingest.ingest([shared_data("real_medicaid") / source.path], source, table)
    assert result.read == read
    assert dict(result.quarantined.group_by("rule_id").len().rows()) == rules
    assert result.kept.height == read - sum(rules.values())
    ingest.TABLES[table].contract.validate(result.kept)


def test_real_negative_totals_are_kept_with_their_sign() -> None:
    source = layout("payments")
    kept = ingest.ingest([shared_data("real_medicaid") / source.path], source, "payments").kept
    assert kept.filter(pl.col("payments_cents") < 0).height == 6
    assert kept["payments_cents"].min() == -4_975_040

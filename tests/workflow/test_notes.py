"""The notes track as a user runs it: nothing leaks, what fails is withheld, what is killed resumes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import polars.selectors as cs
import pytest

from riskflow.artifacts import content_digest
from tests.paths import REPOSITORY, shared_data
from tests.workflow.harness import Workspace
from tests.workflow.notes_source import CANARIES, FAILS_ON, PEOPLE, identifiers_of_everybody, write_source
from tests.workflow.test_resume import wait_for_program

SHARDS = 3
KEY = "a key for the tests, 0123456789abcdef"
ALLOWED = ("results/notes/sensitive/", "data/", "notes.key")
"""Where identifiers may be: the typed shards before redaction, and the user's own files."""
CODE = ("src/", "workflow/", "config/", "envs/", "profiles/")
"""The copy of the repository, which no run writes to."""
TABLES = ("patients", "encounters", "observations", "audit", "quarantine")


@pytest.fixture(scope="module")
def notes_run(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A finished run over source files with canaries."""
    workspace = Workspace.create(tmp_path_factory.mktemp("notes") / "riskflow", {})
    write_source(workspace.folder / "data" / "records.json")
    write_key(workspace, KEY)
    workspace.overlay = {
        "tracks": ["notes"],
        "notes": {
            "source": {"kind": "files", "format": "json", "paths": ["data/*.json"]},
            "demo": {"patients": 30},
            "quality": {"max_quarantined": 0.2},
            "shards": {"count": SHARDS},
            "policy": {"key_file": "notes.key"},
        },
    }
    workspace.build("notes")
    return workspace


@pytest.fixture
def run(notes_run: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the finished run, for one test to change."""
    return notes_run.copy(tmp_path / "riskflow")


def test_every_row_is_published_or_quarantined(notes_run: Workspace) -> None:
    receipt = json.loads(notes_run.path("notes/receipts/ingest.json").read_text())
    counts = receipt["counts"]
    assert counts["read"] == counts["kept"] + counts["quarantined"]
    tables = {name: pl.read_parquet(notes_run.path(f"notes/{name}.parquet")) for name in TABLES}
    # the canary's second copy has a bad birth date, so its patient, encounter and observations are out
    assert tables["patients"].height == PEOPLE + 1
    assert tables["quarantine"].height == counts["quarantined"]
    rules = set(tables["quarantine"]["rule_id"].str.split(".").list.last())
    assert {"misfit_date_of_birth", "orphan_patient", "unreadable", "repeated_id"} <= rules
    assert tables["observations"]["encounter_id"].is_in(tables["encounters"]["encounter_id"].implode()).all()
    assert tables["observations"]["patient_id"].is_in(tables["patients"]["patient_id"].implode()).all()
    assert set(tables["observations"]["note_status"]) == {"redacted"}


def test_the_warehouse_holds_the_tables_with_their_keys(notes_run: Workspace) -> None:
    with duckdb.connect(str(notes_run.path("warehouse.duckdb")), read_only=True) as connection:
        for name in TABLES:
            held = connection.sql(f"SELECT * EXCLUDE (run_id) FROM notes.{name}").pl()
            assert held.height == pl.read_parquet(notes_run.path(f"notes/{name}.parquet")).height
        keys = connection.sql(
            "SELECT table_name FROM duckdb_constraints() WHERE constraint_type = 'FOREIGN KEY'"
        ).fetchall()
        assert {"encounters", "observations", "audit"} <= {row[0] for row in keys}
        registered = connection.sql("SELECT track, rows_published FROM run_registry").fetchall()
    observations = pl.read_parquet(notes_run.path("notes/observations.parquet")).height
    assert registered == [("notes", observations)]


def test_no_identifier_is_anywhere_but_where_it_may_be(notes_run: Workspace) -> None:
    secrets = [*CANARIES, *identifiers_of_everybody(), KEY]
    assert leaking(notes_run, secrets) == {}
    # the search itself finds them where they are
    found = {name for name, _ in texts_of(notes_run.folder / "results/notes/sensitive", secrets)}
    assert any("observations" in name for name in found) and any("patients" in name for name in found)


def test_a_second_run_does_nothing(run: Workspace) -> None:
    assert run.plan("notes") == {}
    for path in (run.folder / "data").iterdir():
        path.touch()
    assert run.plan("notes") == {}


def test_one_changed_record_redacts_one_shard(run: Workspace) -> None:
    before = shard_bytes(run)
    path = run.folder / "data" / "records.json"
    path.write_text(path.read_text().replace("Lungs clear.", "Lungs are clear.", 1))
    ran = run.build("notes")
    assert ran["notes_redact"] == 1
    assert "notes_train" not in ran
    changed = [name for name, content in shard_bytes(run).items() if content != before[name]]
    assert len(changed) == 1


@pytest.mark.slow
def test_a_note_that_the_model_fails_on_is_withheld_and_no_other(run: Workspace) -> None:
    reader = run.folder / "src/riskflow/notes/ner/reader.py"
    text, count = re.subn(
        r"( +)table = word_table\(sentences\)\n",
        rf'\1if any("{FAILS_ON}" in s for s in sentences):\n\1    raise ValueError(sentences[0])\n\g<0>',
        reader.read_text(),
    )
    assert count == 1
    reader.write_text(text)
    shutil.rmtree(run.path("notes/cache"))
    # the word is no identifier: the finished run has published it, and a database keeps old pages
    run.path("warehouse.duckdb").unlink()
    run.build("notes")
    observations = pl.read_parquet(run.path("notes/observations.parquet"))
    held = observations.filter(pl.col("note_status") == "withheld")
    assert held.height == 1 and held["note"].is_null().all()
    assert observations.filter(pl.col("note_status") == "redacted")["note"].is_not_null().all()
    published = json.loads(run.path("notes/receipts/publish.json").read_text())
    assert published["facts"]["withheld"] == [[held["observation_id"].item(), held["note_reason"].item()]]
    assert held["observation_id"].item() in run.path("notes/report.html").read_text()
    assert leaking(run, [*CANARIES, FAILS_ON]) == {}


def test_the_leak_gate_stops_the_run_and_names_records_not_texts(run: Workspace) -> None:
    before = {name: run.path(f"notes/{name}.parquet").read_bytes() for name in TABLES}
    (run.folder / "data" / "canaries.txt").write_text("Lungs clear\n")
    run.overlay["notes"]["gate"] = {"canaries": "data/canaries.txt"}
    run.overlay["notes"]["policy"]["style"] = "pseudonyms"
    stopped = run.snakemake("notes")
    assert stopped.status != 0
    assert "the leak gate refuses the batch" in stopped.text
    assert "Lungs clear" not in stopped.text
    told = re.findall(r"observations\.note of ([a-z]{16})", stopped.text)
    assert set(told) <= set(
        pl.read_parquet(run.path("notes/unchecked/observations.parquet"))["observation_id"]
    )
    assert told
    assert before == {name: run.path(f"notes/{name}.parquet").read_bytes() for name in TABLES}


@pytest.mark.slow
def test_two_keys_have_no_pseudonym_in_common_and_the_old_key_gives_the_old_bytes(run: Workspace) -> None:
    first = {name: run.path(f"notes/{name}.parquet").read_bytes() for name in TABLES}
    ours = pseudonyms_of(run)
    write_key(run, "another key for the tests, fedcba98765")
    assert run.build("notes")["notes_redact"] == SHARDS
    theirs = pseudonyms_of(run)
    assert ours and theirs and not ours & theirs
    write_key(run, KEY)
    run.build("notes")
    assert first == {name: run.path(f"notes/{name}.parquet").read_bytes() for name in TABLES}


def test_without_a_key_or_with_a_key_that_others_may_read_nothing_is_redacted(run: Workspace) -> None:
    (run.folder / "notes.key").chmod(0o644)
    stopped = run.snakemake("notes", env={"RISKFLOW_NOTES_KEY": ""})
    assert stopped.status != 0 and "chmod 600" in stopped.text
    run.overlay["notes"]["policy"]["key_file"] = ""
    stopped = run.snakemake("notes", env={"RISKFLOW_NOTES_KEY": ""})
    assert stopped.status != 0 and "no key for pseudonyms" in stopped.text
    stopped = run.snakemake(
        "notes",
        env={"RISKFLOW_NOTES_KEY": "riskflow demo key: known to everybody, for generated patients only"},
    )
    assert stopped.status != 0 and "make one of your own" in stopped.text


def test_kill_in_mid_redaction_then_resume(run: Workspace) -> None:
    expected = {name: run.path(f"notes/{name}.parquet").read_bytes() for name in TABLES}
    shutil.rmtree(run.path("notes/redacted"))
    shutil.rmtree(run.path("notes/cache"))
    for name in TABLES:
        run.path(f"notes/{name}.parquet").unlink()
        if name != "quarantine":
            run.path(f"notes/unchecked/{name}.parquet").unlink()
    process = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "1", "notes", "--configfile", "overlay.yaml"],
        cwd=run.folder,
        env={**os.environ, "PYTHONPATH": str(run.folder / "src")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_for_program(process, "notes_redact.py")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for shard in run.path("notes/redacted").glob("*.parquet"):
        assert content_digest(shard), "a shard that is visible is whole"
    assert not run.path("notes/observations.parquet").exists()
    assert run.snakemake("--unlock").status == 0
    run.build("notes")
    assert expected == {name: run.path(f"notes/{name}.parquet").read_bytes() for name in TABLES}
    assert not list(run.folder.rglob(".*.tmp"))


@pytest.mark.slow
def test_the_number_of_shards_changes_no_byte(run: Workspace) -> None:
    before = {name: run.path(f"notes/{name}.parquet").read_bytes() for name in TABLES[:-1]}
    run.overlay["notes"]["shards"]["count"] = 2
    assert run.build("notes")["notes_redact"] == 2
    assert before == {name: run.path(f"notes/{name}.parquet").read_bytes() for name in before}


@pytest.mark.slow
def test_the_demo_needs_no_key_of_its_own(run: Workspace) -> None:
    """The demo from its records to the page; only its key is known to everybody, and only the demo takes it."""
    run.overlay["notes"]["source"] = {"kind": "demo"}
    run.overlay["notes"]["policy"] = {}
    run.overlay["results"] = "results_demo"
    shutil.copytree(run.path("notes/model"), run.folder / "results_demo/notes/model")
    done = run.snakemake("notes", env={"RISKFLOW_NOTES_KEY": ""})
    assert done.status == 0, done.text
    demo = run.folder / "results_demo" / "notes"
    assert (demo / "demo.key").stat().st_mode & 0o777 == 0o600
    scores = pl.read_parquet(demo / "evaluation.parquet").filter(pl.col("kind") == "ALL")
    recall = dict(scores.select("system", "recall").iter_rows())
    assert recall["record_rules_ner"] >= recall["rules_ner"] > 0.8
    page = (demo / "report.html").read_text()
    assert "Generated demo data" in page and "Over-redaction" in page
    assert run.snakemake("--dry-run", "notes", env={"RISKFLOW_NOTES_KEY": ""}).jobs == {}


@pytest.mark.slow
def test_public_synthea_records_with_pseudonyms_and_shifted_dates(run: Workspace) -> None:
    run.overlay["notes"]["source"] = {
        "kind": "files",
        "format": "synthea",
        "paths": [str(shared_data("synthea"))],
    }
    run.overlay["notes"]["policy"] |= {"style": "pseudonyms", "shift_dates": True}
    run.build("notes")
    patients = pl.read_parquet(run.path("notes/patients.parquet"))
    encounters = pl.read_parquet(run.path("notes/encounters.parquet"))
    assert patients.height == 59
    assert encounters["start_date"].is_not_null().all()
    names = pl.read_csv(shared_data("synthea") / "patients.csv.gz").select("SSN", "ADDRESS").rows()
    assert leaking(run, [cell for row in names for cell in row]) == {}


def test_the_commands_of_the_page_run_with_the_trained_model(notes_run: Workspace) -> None:
    (notes_run.folder / "data" / "notes.txt").write_text(
        "Seen by Dr. Orsolya Fennimarch on 3/4/2021. Lungs clear.\n"
    )
    labelled = {"markup": "Call Mrs. {{NAME:Wrexcombe}} at {{PHONE:541-555-0187}}. Ask {{NAME:zyq}}."}
    (notes_run.folder / "data" / "labelled.jsonl").write_text(json.dumps(labelled) + "\n")
    page = (REPOSITORY / "docs" / "notes.md").read_text()
    commands = re.findall(r"^    \.venv/bin/riskflow (.*)$", page, re.MULTILINE)
    assert commands == ["redact notes.txt", "notes evaluate labelled.jsonl"]
    redacted, evaluated = (riskflow(notes_run, *command.split()) for command in commands)
    assert redacted.returncode == 0 and redacted.stdout == "Seen by Dr. [NAME] on [DATE]. Lungs clear.\n"
    piped = riskflow(notes_run, "redact", "-", given="Call Dr. Orsolya Fennimarch at (541) 555-0187.")
    assert piped.returncode == 0 and piped.stdout == "Call Dr. [NAME] at [PHONE]."
    assert evaluated.returncode == 0 and "recall" in evaluated.stdout and "zyq" not in evaluated.stdout
    assert "zyq" in riskflow(notes_run, "notes", "evaluate", "labelled.jsonl", "--show-text").stdout
    told = json.loads(riskflow(notes_run, "notes", "evaluate", "labelled.jsonl", "--json").stdout)
    assert {row["kind"] for row in told["scores"]} >= {"ALL", "NAME", "PHONE"}
    absent = riskflow(notes_run, "redact", "notes.txt", "--results", "nowhere")
    assert absent.returncode == 1 and not absent.stdout and "there is no name model" in absent.stderr


def riskflow(workspace: Workspace, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command of riskflow in data/, on the results of the run unless others are named."""
    results = () if "--results" in words else ("--results", "../results")
    return subprocess.run(
        [sys.executable, "-c", "from riskflow.cli import app; app()", *words, *results],
        cwd=workspace.folder / "data",
        env={**os.environ, "PYTHONPATH": str(workspace.folder / "src")},
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )


def write_key(workspace: Workspace, key: str) -> None:
    path = workspace.folder / "notes.key"
    path.write_text(key + "\n")
    path.chmod(0o600)


def shard_bytes(workspace: Workspace) -> dict[str, bytes]:
    return {p.stem: p.read_bytes() for p in sorted(workspace.path("notes/redacted").glob("*.parquet"))}


def pseudonyms_of(workspace: Workspace) -> set[str]:
    """Every value of an id column of the published tables."""
    found: set[str] = set()
    for name in TABLES[:-1]:
        table = pl.read_parquet(workspace.path(f"notes/{name}.parquet"))
        for column in table.columns:
            if column.endswith("_id") or column == "value_hash":
                found |= set(table[column].drop_nulls())
    return found


def leaking(workspace: Workspace, secrets: list[str]) -> dict[str, list[str]]:
    """Return file → secrets in it, over all of the workspace but where identifiers may be."""
    return dict(texts_of(workspace.folder, secrets, but=(*ALLOWED, *CODE)))


def texts_of(folder: Path, secrets: list[str], but: tuple[str, ...] = ()) -> Iterator[tuple[str, list[str]]]:
    """Yield (file, secrets in it, in any case) of the files below a folder, parquet and DuckDB also as tables."""
    sought = {secret: secret.lower().encode() for secret in secrets}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        if str(path.relative_to(folder)).startswith(but):
            continue
        content = path.read_bytes()
        if path.suffix == ".parquet":
            content += str(pl.read_parquet(path).with_columns(cs.temporal().cast(pl.String)).rows()).encode()
        if path.suffix == ".duckdb":
            content += warehouse_text(path)
        content = content.lower()
        if hits := sorted(secret for secret, text in sought.items() if text in content):
            yield str(path.relative_to(folder)), hits


def warehouse_text(path: Path) -> bytes:
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.sql("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
        return b"".join(
            str(connection.sql(f'SELECT * FROM "{schema}"."{table}"').fetchall()).encode()
            for schema, table in tables
        )

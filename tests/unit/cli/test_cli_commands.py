"""The commands of riskflow: what they say, their exit codes, and what they never say."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from riskflow.artifacts import Artifact
from riskflow.cli import app
from riskflow.cli import doctor as doctor_module
from riskflow.cli.console import line, without_secrets
from riskflow.cli.dossier import origins_of
from riskflow.cli.seats import Seats
from riskflow.errors import RiskflowError
from riskflow.receipts import Receipt
from tests.unit.report.synthetic import FIRST_NPI, results_folder

runner = CliRunner()
EXCLUDED, NOT_SCORED = str(FIRST_NPI + 1), str(FIRST_NPI + 10)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return results_folder(tmp_path_factory.mktemp("run"))


@pytest.fixture
def overlay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "overlay.yaml"
    path.write_text("providers:\n  graph:\n    hops: 5\n")
    return path


def test_config_check_passes_a_good_file(overlay: Path) -> None:
    done = runner.invoke(app, ["config", "check", str(overlay)])
    assert done.exit_code == 0
    assert "no faults" in done.stdout


def test_config_check_tells_every_fault_of_every_file_at_once(overlay: Path) -> None:
    overlay.write_text("providers:\n  graph:\n    hop: 5\n    decay: 7\nnots: {}\n")
    broken = overlay.with_name("broken.yaml")
    broken.write_text("a: [\n")
    done = runner.invoke(app, ["config", "check", str(overlay), str(broken), "absent.yaml"])
    assert done.exit_code == 1
    for fault in ("did you mean providers.graph.hops?", "providers.graph.decay", "did you mean notes?"):
        assert fault in done.stderr
    assert "broken.yaml" in done.stderr and "absent.yaml" in done.stderr
    assert "Traceback" not in done.stderr


def test_config_show_names_the_layer_of_each_key(overlay: Path) -> None:
    above = overlay.with_name("above.yaml")
    above.write_text("providers:\n  graph:\n    decay: 0.25\n")
    done = runner.invoke(app, ["config", "show", overlay.name, above.name, "--section", "providers.graph."])
    lines = {
        text.split()[0]: text.split()[1:] for text in done.stdout.splitlines() if "providers.graph" in text
    }
    assert lines["providers.graph.hops"] == ["5", "overlay.yaml"]
    assert lines["providers.graph.decay"] == ["0.25", "above.yaml"]
    assert lines["providers.graph.hub_cap"][-1] == "default"


def test_config_show_changed_leaves_out_the_defaults(overlay: Path) -> None:
    done = runner.invoke(app, ["config", "show", str(overlay), "--changed"])
    assert "providers.graph.hops" in done.stdout
    assert "providers.graph.decay" not in done.stdout


def test_config_show_of_an_unknown_section_is_an_error(overlay: Path) -> None:
    done = runner.invoke(app, ["config", "show", "--section", "graph"])
    assert done.exit_code == 1 and "no key begins with graph" in done.stderr


def test_config_write_writes_the_generated_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Snakefile").write_text("")
    inside = tmp_path / "deep"
    inside.mkdir()
    monkeypatch.chdir(inside)
    done = runner.invoke(app, ["config", "write"])
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "config" / "config.yaml").exists() and (tmp_path / "docs" / "config.md").exists()


def test_config_write_outside_the_repository_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = runner.invoke(app, ["config", "write"])
    assert done.exit_code == 1 and "no Snakefile" in done.stderr


def test_secrets_are_not_shown() -> None:
    assert without_secrets("providers.neo4j.password", '"hunter2"') == "(set, not shown)"
    assert without_secrets("a.uri", '"bolt://me:hunter2@host:7687"') == '"bolt://me:***@host:7687"'
    assert without_secrets("a.password_file", '"/run/secret"') == '"/run/secret"'


def test_summary_gives_counts_and_files_that_exist(results: Path) -> None:
    done = runner.invoke(app, ["summary", "--results", str(results)])
    assert done.exit_code == 0, done.stderr
    assert "300 providers" in done.stdout
    assert "1,003 rows read" in done.stdout and "3 in quarantine" in done.stdout
    assert "providers/scores.parquet" in done.stdout
    assert "report.html" not in done.stdout  # not made in this run


def test_summary_without_results_says_what_to_do(tmp_path: Path) -> None:
    done = runner.invoke(app, ["summary", "--results", str(tmp_path)])
    assert done.exit_code == 1 and "make run" in done.stderr


def test_explain_shows_score_components_flags_payments_and_origins(results: Path) -> None:
    done = runner.invoke(app, ["explain", "provider", EXCLUDED, "--results", str(results)])
    assert done.exit_code == 0, done.stderr
    for text in ("risk score", "concentration", "r_raw", "exclusion: 100 (threshold 80)", "$12,345.67"):
        assert text in done.stdout
    for origin in ("ranks.parquet", "feedfacecafe", "0123456789ab", "tiers", "high 80.0"):
        assert origin in done.stdout


def test_explain_cannot_be_made_to_send_control_characters(results: Path) -> None:
    done = runner.invoke(app, ["explain", "provider", EXCLUDED, "--results", str(results)])
    assert "Clinic" in done.stdout and "\x1b" not in done.stdout
    assert line("a\x1b[2Jb\nc") == "a [2Jb c"


def test_explain_says_why_a_provider_is_not_scored(results: Path) -> None:
    done = runner.invoke(app, ["explain", "provider", NOT_SCORED, "--results", str(results)])
    assert done.exit_code == 0
    assert "not scored: no payments in the scored years" in done.stdout


def test_explain_as_json_adds_up(results: Path) -> None:
    done = runner.invoke(app, ["explain", "provider", EXCLUDED, "--results", str(results), "--json"])
    document = json.loads(done.stdout)
    parts = [value for key, value in document.items() if key.endswith("_contribution")]
    assert len(parts) == 5 and sum(parts) == pytest.approx(document["r_raw"], abs=1e-9)
    assert {origin["stage"] for origin in document["origins"]} == {"providers.rank", "providers.explain"}


@pytest.mark.parametrize(
    ("npi", "said"), [("123", "ten digits"), ("1999999999", "is not in"), ("١٢٣٤٥٦٧٨٩٠", "ten digits")]
)
def test_explain_of_what_is_not_there_is_one_message(results: Path, npi: str, said: str) -> None:
    done = runner.invoke(app, ["explain", "provider", npi, "--results", str(results)])
    assert done.exit_code == 1
    assert said in done.stderr and "Traceback" not in done.stderr


def test_doctor_finds_the_needed_parts() -> None:
    done = runner.invoke(app, ["doctor"])
    assert done.exit_code == 0, done.stdout
    for part in (
        "Python",
        "Neo4j server",
        "PostgreSQL",
        "SLURM commands",
        "S3 gateway",
        "spaCy models",
        "Maven",
    ):
        assert part in done.stdout


def test_doctor_fails_when_a_needed_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_module, "NEEDED", ("polars", "no_such_package"))
    done = runner.invoke(app, ["doctor"])
    assert done.exit_code == 1
    assert "no_such_package" in done.stdout


def test_doctor_does_not_show_passwords_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEO4J_URI", "bolt://neo4j:hunter2@localhost:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://key:hunter2@localhost:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "hunter2")
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    assert "hunter2" not in runner.invoke(app, ["doctor"]).output


def test_a_fault_is_told_without_its_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RISKFLOW_DEBUG", raising=False)
    seats = Seats()

    def faulty() -> None:
        raise ValueError("Jane Doe, 555-12-3456")

    def mendable() -> None:
        raise RiskflowError("wrong file", "write another")

    seats.app.command("faulty")(faulty)
    seats.app.command("mendable")(mendable)
    seats.close()
    done = runner.invoke(seats.app, ["faulty"])
    assert done.exit_code == 1
    assert "Jane" not in done.output and "ValueError" in done.stderr
    monkeypatch.setenv("RISKFLOW_DEBUG", "1")
    assert "Jane" in runner.invoke(seats.app, ["faulty"]).stderr
    told = runner.invoke(seats.app, ["mendable"])
    assert (told.exit_code, told.stderr) == (1, "riskflow: wrong file\n  write another\n")


def test_a_wrong_option_is_a_usage_error() -> None:
    done = runner.invoke(app, ["summary", "--nonsense"])
    assert done.exit_code == 2 and "nonsense" in done.stderr


def test_the_start_imports_no_track_and_no_heavy_library() -> None:
    heavy = (
        "polars",
        "duckdb",
        "pandera",
        "matplotlib",
        "spacy",
        "snakemake",
        "pydantic",
        "riskflow.providers",
    )
    code = f"import sys, riskflow.cli; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_explain_shows_the_path_to_the_excluded_owner(results: Path) -> None:
    done = runner.invoke(app, ["explain", "provider", str(FIRST_NPI + 4), "--results", str(results)])
    assert "Provider 4 → Holding → Excluded Person (excluded, 2 up)" in done.stdout
    assert "1 of 12 other providers" in done.stdout


@pytest.mark.parametrize(
    ("git", "told"),
    [
        ({}, "no git"),
        ({"commit": "", "clean": False}, "no git"),
        ({"commit": "0123456789abcdef", "clean": True}, "0123456789ab"),
        ({"commit": "0123456789abcdef", "clean": False}, "0123456789ab (changed)"),
    ],
)
def test_an_origin_tells_the_commit_and_whether_it_was_changed(
    tmp_path: Path, git: dict[str, object], told: str
) -> None:
    made = Artifact("results/providers/ranks.parquet", "providers_ranks", 1, "d")
    receipt = Receipt(stage="providers.rank", outputs=[made], run={"git": git})
    assert [origin.commit for origin in origins_of("1234567893", tmp_path, [receipt])] == [told]

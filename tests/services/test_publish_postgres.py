"""Publishing to a real PostgreSQL: all or nothing, only what differs, and never an older run over a newer one."""

from pathlib import Path

import pytest

from benchmarks.postgres_publish import publish_in_a_process
from riskflow.config.publish import PostgresSection
from riskflow.errors import RiskflowError
from riskflow.publish import postgres_difference
from tests.services.postgres_server import PostgresServer
from tests.services.published import scores, written
from tests.services.publishing import EVERYTHING, ROWS, Ask, publish, section_of

pytestmark = pytest.mark.service


def test_the_first_publish_holds_every_value(section: PostgresSection, ask: Ask, tmp_path: Path) -> None:
    frame = scores(ROWS)
    receipt = publish(section, written(tmp_path, frame))
    assert receipt.counts == {"rows": ROWS, "written": ROWS, "removed": 0, "no_op": 0}
    columns = (
        "npi, display_name, entity_type, risk_score_exact, reasons, nearest_exclusion_path, data_window_years"
    )
    found = ask(
        f"SELECT {columns}, risk_score::float8, payments_after_exclusion FROM provider_risk_scores ORDER BY npi"
    )
    for row, sent in zip(found, frame.sort("npi").to_dicts(), strict=True):
        assert row[:4] == (sent["npi"], sent["display_name"], sent["entity_type"], sent["risk_score"])
        assert row[4:7] == (sent["reasons"], sent["nearest_exclusion_path"], sent["data_window_years"])
        assert row[7] == pytest.approx(sent["risk_score"], abs=0.005001)
        cents = sent["payments_after_exclusion_cents"]
        assert (None if row[8] is None else row[8] * 100) == cents  # type: ignore[operator]
    assert ask("SELECT flags, components ? 'billing' FROM provider_risk_scores LIMIT 1") == [
        ([{"flag": "x", "value": 1.5}], True)
    ]
    assert ask("SELECT run_id, rows_published FROM published_tables") == [(receipt.facts["run_id"], ROWS)]
    assert ask("SELECT track, method, git_clean IS NOT NULL FROM run_registry") == [("providers", "v1", True)]


def test_a_run_that_was_published_is_a_no_op(section: PostgresSection, ask: Ask, tmp_path: Path) -> None:
    what = written(tmp_path, scores(ROWS))
    publish(section, what)
    before = ask("SELECT xmin::text, * FROM provider_risk_scores ORDER BY npi")
    assert publish(section, what).counts == {"rows": ROWS, "written": 0, "removed": 0, "no_op": 1}
    assert ask("SELECT xmin::text, * FROM provider_risk_scores ORDER BY npi") == before


def test_only_rows_that_differ_are_written(section: PostgresSection, ask: Ask, tmp_path: Path) -> None:
    publish(section, written(tmp_path / "1", scores(ROWS)))
    before = dict(ask("SELECT npi, updated_at FROM provider_risk_scores"))  # type: ignore[arg-type]
    receipt = publish(section, written(tmp_path / "2", scores(ROWS, changed_every=100), day=2))
    assert receipt.counts == {"rows": ROWS, "written": 5, "removed": 0, "no_op": 0}
    after = dict(ask("SELECT npi, updated_at FROM provider_risk_scores"))  # type: ignore[arg-type]
    assert sum(after[npi] != at for npi, at in before.items()) == 5
    assert ask("SELECT count(*) FROM provider_risk_scores_history") == [(0,)]


def test_rows_that_are_gone_are_removed(section: PostgresSection, ask: Ask, tmp_path: Path) -> None:
    publish(section, written(tmp_path / "1", scores(ROWS)))
    receipt = publish(section, written(tmp_path / "2", scores(ROWS, shift=10), day=2))
    assert receipt.counts["removed"] == 10
    assert ask("SELECT count(*), min(npi) FROM provider_risk_scores") == [(ROWS, "1000000010")]


def test_a_delta_run_leaves_the_others_alone(section: PostgresSection, ask: Ask, tmp_path: Path) -> None:
    publish(section, written(tmp_path / "1", scores(ROWS)))
    few = scores(ROWS, changed_every=1).head(3)
    receipt = publish(section, written(tmp_path / "2", few, day=2), only=[1000000000])
    assert receipt.counts == {"rows": 3, "written": 3, "removed": 0, "no_op": 0}
    assert ask("SELECT count(*), count(DISTINCT run_id) FROM provider_risk_scores") == [(ROWS, 2)]


def test_replaced_and_removed_rows_go_to_the_history(
    postgres_server: PostgresServer, database: str, ask: Ask, tmp_path: Path
) -> None:
    section = section_of(postgres_server, database, history=True)
    first = publish(section, written(tmp_path / "1", scores(ROWS))).facts["run_id"]
    second = publish(section, written(tmp_path / "2", scores(ROWS - 2, changed_every=250), day=2)).facts[
        "run_id"
    ]
    found = ask("SELECT run_id, replaced_by, count(*) FROM provider_risk_scores_history GROUP BY 1, 2")
    changed = scores(ROWS).join(scores(ROWS - 2, changed_every=250), on="npi", how="anti").height
    assert found[0][:2] == (first, second) and found[0][2] >= changed + 2  # type: ignore[operator]


def test_an_older_run_never_overwrites_a_newer_one(
    section: PostgresSection, ask: Ask, tmp_path: Path
) -> None:
    publish(section, written(tmp_path / "2", scores(ROWS, changed_every=7), day=2))
    before = ask(EVERYTHING)
    with pytest.raises(RiskflowError, match="which is newer than this run"):
        publish(section, written(tmp_path / "1", scores(ROWS), day=1))
    assert ask(EVERYTHING) == before


@pytest.mark.parametrize(
    "change", ["risk_score = 1.23, rank = 7", "display_name = 'Nobody'", "reasons = ARRAY['none']"]
)
def test_rows_changed_by_hand_are_put_back(
    section: PostgresSection, ask: Ask, tmp_path: Path, change: str
) -> None:
    publish(section, written(tmp_path / "1", scores(ROWS)))
    row = "SELECT (to_jsonb(t) - 'updated_at' - 'run_id')::text FROM provider_risk_scores t WHERE npi = '1000000007'"
    before = ask(row)
    ask(f"UPDATE provider_risk_scores SET {change} WHERE npi = '1000000007'")
    assert ask(row) != before
    publish(section, written(tmp_path / "2", scores(ROWS), day=2))
    assert ask(row) == before


def test_a_trigger_that_changes_rows_stops_the_publish(
    section: PostgresSection, ask: Ask, tmp_path: Path
) -> None:
    publish(section, written(tmp_path / "1", scores(ROWS)))
    before = ask(EVERYTHING)
    ask("CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.rank := 1; RETURN NEW; END'")
    ask("CREATE TRIGGER t BEFORE UPDATE ON provider_risk_scores FOR EACH ROW EXECUTE FUNCTION meddle()")
    with pytest.raises(RiskflowError, match="what was read back is not what was sent"):
        publish(section, written(tmp_path / "2", scores(ROWS, changed_every=3), day=2))
    assert ask(EVERYTHING) == before


def test_readers_never_see_half_a_run(
    section: PostgresSection, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(section, written(tmp_path / "1", scores(ROWS)))
    seen: list[list[tuple[object, ...]]] = []
    totals = postgres_difference.Difference.totals

    def looking(*arguments: object) -> object:
        seen.append(ask("SELECT count(*), count(DISTINCT run_id) FROM provider_risk_scores"))
        return totals(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(postgres_difference.Difference, "totals", looking)
    publish(section, written(tmp_path / "2", scores(ROWS + 100, changed_every=2), day=2))
    assert seen == [[(ROWS, 1)]]


@pytest.mark.slow
def test_memory_hardly_grows_with_the_rows(section: PostgresSection, tmp_path: Path) -> None:
    few, many = (tmp_path / name for name in ("few", "many"))
    written(few, scores(10_000))
    written(many, scores(300_000), day=2)
    settings = section.model_dump(mode="json")
    peaks = [publish_in_a_process(settings, folder)["peak_mib"] for folder in (few, many)]
    assert peaks[1] < peaks[0] + 300  # MiB, for thirty times the rows

"""Stage programs: options by type, config by params, one clear line on an error, no value ever shown."""

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import polars as pl
import pytest
from pydantic import Field

from riskflow import artifacts, receipts
from riskflow.artifacts import Artifact
from riskflow.config.base import Section, StageConfig
from riskflow.contracts.base import Contract, column
from riskflow.errors import RiskflowError
from riskflow.program import provenance_digest, run_program
from riskflow.receipts import Receipt

NUMBERS = Contract("numbers", 1, "Numbers", ("n",), {"n": column(pl.Int64, "A number")})


class Limits(Section):
    """Limits."""

    low: int = 0
    """Low."""
    roles: list[str] = Field(default=[])
    """Roles."""


class LimitsStage(StageConfig):
    """Config of the test stage."""

    track: ClassVar[str] = "providers"
    limits: Limits


@pytest.fixture(autouse=True)
def quiet_root_logger() -> None:
    logging.getLogger().handlers.clear()


def exit_line(capsys: pytest.CaptureFixture[str], code: object) -> str:
    assert code == 1
    return capsys.readouterr().err


def test_every_keyword_becomes_an_option_of_its_type(tmp_path: Path) -> None:
    seen: dict[str, object] = {}

    def run(
        *, one: Path, some_files: list[Path], name: str, count: int, maybe: Path | None = None
    ) -> Receipt:
        seen.update(one=one, some_files=some_files, name=name, count=count, maybe=maybe)
        return Receipt()

    run_program(run, ["--one", "a b", "--some-files", "x", "y", "--name", "n", "--count", "3"])
    assert seen == {
        "one": Path("a b"),
        "some_files": [Path("x"), Path("y")],
        "name": "n",
        "count": 3,
        "maybe": None,
    }
    run_program(run, ["--one", "a", "--some-files", "--name", "", "--count", "3", "--maybe", "m"])
    assert seen["some_files"] == [] and seen["maybe"] == Path("m")


@pytest.mark.parametrize("argv", [[], ["--count", "three"], ["--count", "1", "--other", "2"]])
def test_wrong_options_are_refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    def run(*, count: int) -> Receipt:
        raise AssertionError("must not run")

    with pytest.raises(SystemExit) as caught:
        run_program(run, argv)
    assert caught.value.code == 2 and "usage:" in capsys.readouterr().err


def test_an_option_type_that_is_not_known_is_refused_not_guessed() -> None:
    def run(*, share: float) -> Receipt:
        raise AssertionError("must not run")

    with pytest.raises(TypeError, match="share"):
        run_program(run, ["--share", "0.5"])


def test_config_comes_from_the_params_that_name_themselves() -> None:
    seen: list[LimitsStage] = []

    def run(*, config: LimitsStage) -> Receipt:
        seen.append(config)
        return Receipt()

    params = ["config.limits.low=7", 'config.limits.roles=["a = b","c"]', "code.x=123", "data.shard=ff"]
    run_program(run, ["--params", *params])
    assert seen[0].limits == Limits(low=7, roles=["a = b", "c"])


@pytest.mark.parametrize(
    ("params", "fault"),
    [
        (["config.limits.low=7", "config.limits.hihg=8"], "limits.hihg"),
        (["config.limits.low=[]"], "limits.low"),
        ([], "limits"),
        (["config.limits.low=CANARY"], "config.limits.low"),
        (["config.limits.low"], "config.limits.low"),
    ],
)
def test_params_that_do_not_fit_the_stage_are_named(
    params: list[str], fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*, config: LimitsStage) -> Receipt:
        raise AssertionError("must not run")

    with pytest.raises(SystemExit) as caught:
        run_program(run, ["--params", *params])
    line = exit_line(capsys, caught.value.code)
    assert fault in line and "CANARY" not in line and "withheld" not in line


def test_a_known_error_is_one_clear_line_with_its_hint(capsys: pytest.CaptureFixture[str]) -> None:
    def run() -> Receipt:
        raise RiskflowError("the table has no column npi", "write columns: {npi: NPI}")

    with pytest.raises(SystemExit) as caught:
        run_program(run, [])
    error = exit_line(capsys, caught.value.code)
    assert error.splitlines()[0].endswith("the table has no column npi")
    assert error.splitlines()[1].strip() == "write columns: {npi: NPI}"
    assert "Traceback" not in error


def test_an_unexpected_error_shows_its_place_and_no_value(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RISKFLOW_DEBUG", raising=False)

    def run(*, name: str) -> Receipt:
        try:
            int(name)
        except ValueError as error:
            raise LookupError(f"no such member: {name}") from error
        raise AssertionError

    with pytest.raises(SystemExit) as caught:
        run_program(run, ["--name", "CANARY"])
    error = exit_line(capsys, caught.value.code)
    assert "LookupError (message withheld" in error and "test_program.py:" in error
    assert "CANARY" not in error


def test_the_message_can_be_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RISKFLOW_DEBUG", "1")

    def run() -> Receipt:
        raise LookupError("no such member: CANARY")

    with pytest.raises(SystemExit) as caught:
        run_program(run, [])
    assert "CANARY" in exit_line(capsys, caught.value.code)


def test_a_failed_stage_writes_no_receipt(tmp_path: Path) -> None:
    def run() -> Receipt:
        raise RiskflowError("no")

    with pytest.raises(SystemExit):
        run_program(run, ["--receipt", str(tmp_path / "r.json")])
    assert list(tmp_path.iterdir()) == []


def test_the_receipt_records_what_was_read_written_and_run(tmp_path: Path) -> None:
    artifacts.write(pl.DataFrame({"n": [2, 1]}), tmp_path / "in.parquet", NUMBERS)

    def run(*, numbers: Path, output: Path, config: LimitsStage) -> Receipt:
        frame = artifacts.read(numbers, NUMBERS)
        artifacts.write(frame.head(1), output, NUMBERS)
        return Receipt(counts={"read": 2, "kept": 1, "quarantined": 1}, facts={"why": "test"})

    source, output, path = (str(tmp_path / name) for name in ("in.parquet", "out.parquet", "r.json"))
    params = ["config.limits.low=1", "code.m=1", "data.in=2"]
    run_program(run, ["--numbers", source, "--output", output, "--receipt", path, "--params", *params])
    receipt = receipts.load(Path(path))
    assert receipt.counts == {"read": 2, "kept": 1, "quarantined": 1}
    assert [(a.path, a.rows) for a in receipt.inputs] == [(source, 2)]
    assert [(a.path, a.rows) for a in receipt.outputs] == [(output, 1)]
    assert receipt.params == {"config.limits.low": "1", "code.m": "1", "data.in": "2"}
    assert pl.read_parquet_metadata(output)["riskflow.provenance"] == receipt.provenance
    assert receipt.run["peak_rss_bytes"] > 10_000_000 and receipt.run["seconds"] >= 0
    assert "polars" in receipt.run["versions"]


def test_provenance_is_stage_config_and_code_and_not_data() -> None:
    params = {"config.a": "1", "code.m": "x", "data.shard": "1"}
    same = provenance_digest("stage", params)
    assert provenance_digest("stage", params | {"data.shard": "2"}) == same
    assert provenance_digest("stage", dict(reversed(params.items()))) == same
    for other in ({"config.a": "2"}, {"code.m": "y"}, {"config.b": "1"}):
        assert provenance_digest("stage", params | other) != same
    assert provenance_digest("another", params) != same


def test_a_receipt_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    receipt = Receipt(
        stage="s",
        counts={"read": 1},
        facts={"list": [1, 2], "map": {"a": None}},
        inputs=[Artifact("i", "c", 1, "d")],
        outputs=[Artifact("o", "c", 2, "e")],
        params={"config.a": "1"},
        provenance="p",
        run={"seconds": 0.5},
    )
    receipt.write(tmp_path / "r.json")
    assert receipts.load(tmp_path / "r.json") == receipt
    text = (tmp_path / "r.json").read_text()
    assert list(json.loads(text)) == sorted(json.loads(text)) and text.endswith("\n")


ENDS = """
import atexit, sys, threading, time
from pathlib import Path
from riskflow.program import run_program
from riskflow.receipts import Receipt

def run(*, output: Path) -> Receipt:
    def late() -> None:
        time.sleep(0.3)
        output.write_text("late")
    threading.Thread(target=late).start()
    atexit.register(lambda: print("registered", end=""))
    print("said ", end="")
    return Receipt()

run_program(run)
print("never")
"""


def test_a_program_ends_with_what_python_does_at_an_end(tmp_path: Path) -> None:
    output, receipt = tmp_path / "out.txt", tmp_path / "r.json"
    words = ["--output", str(output), "--receipt", str(receipt)]
    done = subprocess.run([sys.executable, "-c", ENDS, *words], capture_output=True, text=True, check=True)
    assert done.stdout == "said registered"
    assert output.read_text() == "late"
    assert receipts.load(receipt).counts == {}

"""Passwords come from a file or the environment, and from nowhere else."""

from pathlib import Path

import pytest

from riskflow.credentials import password
from riskflow.errors import RiskflowError


def test_the_first_line_of_the_file_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_PASSWORD", "from the environment")
    (tmp_path / "p").write_text("se cret\nsecond line\n")
    assert password(str(tmp_path / "p"), "SOME_PASSWORD", "key") == "se cret"
    assert password("", "SOME_PASSWORD", "key") == "from the environment"


@pytest.mark.parametrize("content", ["", "\n"])
def test_an_empty_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "p").write_text(content)
    with pytest.raises(RiskflowError, match=r"some.key: .*p is empty"):
        password(str(tmp_path / "p"), "SOME_PASSWORD", "some.key")


def test_neither_one_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SOME_PASSWORD", raising=False)
    with pytest.raises(RiskflowError, match=r"some.key is empty and SOME_PASSWORD is not set"):
        password("", "SOME_PASSWORD", "some.key")
    with pytest.raises(RiskflowError, match=r"some.key: cannot read .*gone: No such file"):
        password(str(tmp_path / "gone"), "SOME_PASSWORD", "some.key")

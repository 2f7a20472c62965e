"""Where raw tables are said to be: what is missing is named, with what to write."""

import pytest

from riskflow.config.root import ConfigError, validated

TABLES = ("registry", "payments", "exclusions", "ownership")


def faults(**source: object) -> str:
    with pytest.raises(ConfigError) as caught:
        validated({"providers": {"source": source}})
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "key", "example"),
    [("files", "path", "data/payments.csv"), ("postgres", "table", "raw.payments")],
)
def test_a_table_that_is_nowhere_is_named(kind: str, key: str, example: str) -> None:
    places = {name: {key: "x"} for name in TABLES if name != "payments"}
    told = faults(kind=kind, **places)
    assert f"source.kind is {kind} but no {key} is given for: payments" in told
    assert f"write source.payments.{key}: {example}" in told


@pytest.mark.parametrize(("kind", "key"), [("files", "path"), ("postgres", "table"), ("demo", "path")])
def test_tables_with_places_are_fine(kind: str, key: str) -> None:
    places = {name: {key: "x"} for name in TABLES} if kind != "demo" else {}
    assert validated({"providers": {"source": {"kind": kind, **places}}}).providers.source.kind == kind


def test_increments_without_a_key_are_refused() -> None:
    told = faults(registry={"updated_column": "changed_at"})
    assert "updated_column needs key" in told and "such as [id]" in told

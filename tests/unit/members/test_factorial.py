import pytest

from riskflow.errors import RiskflowError
from riskflow.members.definitions import load, parsed
from riskflow.members.factorial import expanded, full_settings, scenario_of

FACTORS = [
    {"name": "Model", "setting": "model", "levels": ["2024", "2025"]},
    {"name": "Claims", "setting": "diagnoses", "levels": ["prior", "current"]},
    {"name": "Drugs", "setting": "drugs", "levels": ["prior", "current"]},
]


def factorial(**change):
    content = {
        "name": "yoy",
        "method": "factorial",
        "factors": FACTORS,
        "fixed": {"enrolment": "current"},
    } | change
    return parsed({"decompositions": [content]}, "x.yaml").decompositions[0]


def test_combinations_come_in_mask_order():
    scenarios = expanded(factorial())
    assert len(scenarios) == 8
    for mask, scenario in enumerate(scenarios):
        assert scenario.settings["model"] == ("2025" if mask & 1 else "2024")
        assert scenario.settings["diagnoses"] == ("current" if mask & 2 else "prior")
        assert scenario.settings["drugs"] == ("current" if mask & 4 else "prior")
        assert scenario.settings["enrolment"] == "current"
    assert scenarios[0].name == "Model=2024, Claims=prior, Drugs=prior"


def test_a_grid_has_every_combination_of_many_levels():
    factors = [FACTORS[0] | {"levels": ["2023", "2024", "2025"]}, FACTORS[1]]
    scenarios = expanded(factorial(method="grid", factors=factors))
    assert len({s.name for s in scenarios}) == 6


def test_settings_are_filled_from_data_and_model():
    assert full_settings({"model": "2024/final", "data": "prior", "drugs": "current"}) == {
        "model": "2024/final",
        "csr": "2024",
        "enrolment": "prior",
        "diagnoses": "prior",
        "drugs": "current",
    }


def test_a_scenario_can_be_a_run():
    content = {"scenarios": {"old": {"run": "scoring-1"}, "new": {"model": "2025", "data": "current"}}}
    scenarios = parsed(content, "x").scenarios
    assert scenario_of("old", scenarios["old"]).settings == {"run": "scoring-1"}
    assert scenario_of("new", scenarios["new"]).settings["csr"] == "2025"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"factors": []}, "method factorial needs factors"),
        ({"factors": [FACTORS[0] | {"levels": ["1", "2", "3"]}]}, "two levels per factor"),
        ({"factors": [FACTORS[0], FACTORS[0]]}, "have one name"),
        ({"factors": [FACTORS[0] | {"setting": "moon"}]}, "setting"),
        ({"method": "sequential"}, "method sequential needs baseline and actual"),
        ({"method": "sequential", "baseline": "a", "actual": "b"}, "needs steps"),
        (
            {"method": "turnover", "baseline": "a", "actual": "b"},
            "names scenario a, which is not among: none",
        ),
        ({"name": "Not A Name"}, "name"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_faults_are_said(change, message):
    with pytest.raises(RiskflowError, match=message):
        factorial(**change)


def test_a_scenario_is_a_run_or_settings_not_both():
    with pytest.raises(RiskflowError, match="not both"):
        parsed({"scenarios": {"a": {"run": "r", "model": "2025"}}}, "x")
    with pytest.raises(RiskflowError, match="give run, or model and data"):
        parsed({"scenarios": {"a": {"model": "2025"}}}, "x")


def test_unreadable_files_are_said(tmp_path):
    with pytest.raises(RiskflowError, match="not found"):
        load(tmp_path / "no.yaml")
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(RiskflowError, match="not valid YAML"):
        load(tmp_path / "bad.yaml")

"""Configuration: generated files in step with the models, all errors at once, exact views for stages."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from riskflow.config import generate, members, notes, providers
from riskflow.config.base import Section, StageConfig, leaf_values, nested_values
from riskflow.config.root import ConfigError, RiskflowConfig, load, overlaid, stage_params, validated

REPOSITORY = Path(__file__).resolve().parents[3]
TRACKS = [providers, members, notes]
STAGES = [
    (module.__name__.rsplit(".", 1)[-1], name, stage)
    for module in TRACKS
    for name, stage in module.STAGES.items()
]
NAMES = st.sampled_from(["alpha", "beta", "x1", "_y"])
VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=3)
TREES = st.recursive(VALUES, lambda inner: st.dictionaries(NAMES, inner, max_size=3), max_leaves=12)


def written(folder: Path, name: str, values: Any) -> Path:
    path = folder / name
    path.write_text(values if isinstance(values, str) else yaml.safe_dump(values))
    return path


def message_of(*layers: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(layers)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config/config.yaml", generate.config_yaml()),
        ("config/schema.json", generate.schema_json()),
        ("docs/config.md", generate.reference_page()),
    ],
)
def test_generated_files_are_in_step_with_the_models(name: str, text: str) -> None:
    assert (REPOSITORY / name).read_text(encoding="utf-8") == text, (
        "run `make config` and commit what it wrote"
    )


def test_the_written_default_is_the_default() -> None:
    assert validated(yaml.safe_load(generate.config_yaml())) == RiskflowConfig()


def test_write_all_writes_all_three(tmp_path: Path) -> None:
    names = [str(path.relative_to(tmp_path)) for path in generate.write_all(tmp_path)]
    assert names == ["config/config.yaml", "config/schema.json", "docs/config.md"]
    assert json.loads((tmp_path / "config/schema.json").read_text())["additionalProperties"] is False


@pytest.mark.parametrize(
    "overlay", sorted((REPOSITORY / "config" / "scenarios").glob("*.yaml")), ids=lambda p: p.stem
)
def test_every_scenario_is_valid_over_the_default(overlay: Path) -> None:
    load([REPOSITORY / "config/config.yaml", overlay])


def all_sections(model: type[Section]) -> set[type[Section]]:
    inner = {
        f.annotation
        for f in model.model_fields.values()
        if isinstance(f.annotation, type) and issubclass(f.annotation, Section)
    }
    return {model}.union(*(all_sections(section) for section in inner))


@pytest.mark.parametrize("section", sorted(all_sections(RiskflowConfig), key=lambda s: s.__name__))
def test_every_key_has_a_description_and_every_section_is_strict(section: type[Section]) -> None:
    assert section.model_config["extra"] == "forbid"
    assert section.__doc__
    for name, field in section.model_fields.items():
        is_section = isinstance(field.annotation, type) and issubclass(field.annotation, Section)
        assert field.description or is_section, f"{section.__name__}.{name} has no description"


def test_later_layers_win_key_by_key(tmp_path: Path) -> None:
    below = written(tmp_path, "a.yaml", {"results": "a", "providers": {"shards": {"count": 9}}})
    above = written(tmp_path, "b.yaml", {"results": "b", "providers": {"demo": {"providers": 123}}})
    config = load([below, above])
    assert (config.results, config.providers.shards.count, config.providers.demo.providers) == ("b", 9, 123)
    assert config.members == RiskflowConfig().members


def test_overlays_leave_the_layers_as_they_were() -> None:
    below = {"a": {"b": 1}, "c": [1]}
    assert overlaid(below, {"a": {"d": 2}, "c": [2]}) == {"a": {"b": 1, "d": 2}, "c": [2]}
    assert below == {"a": {"b": 1}, "c": [1]}


def test_all_faults_come_at_once_each_with_file_key_and_the_nearest_right_key(tmp_path: Path) -> None:
    below = written(tmp_path, "base.yaml", {"resluts": "x", "providers": {"shards": {"count": 0}}})
    graph = {"hobs": 2, "hub_cap": "many"}
    above = written(tmp_path, "overlay.yaml", {"providers": {"grahp": {}, "graph": graph}, "hub_cap": 3})
    message = message_of(below, above)
    assert message.startswith("6 faults in the configuration")
    for sentence in (
        f"{below}: resluts: no such key; did you mean results?",
        f"{below}: providers.shards.count: ",
        f"{above}: providers.grahp: no such key; did you mean providers.graph?",
        f"{above}: providers.graph.hobs: no such key; did you mean providers.graph.hops?",
        f"{above}: providers.graph.hub_cap: ",
        f"{above}: hub_cap: no such key; did you mean providers.graph.hub_cap?",
    ):
        assert sentence in message
    assert "(found 'many'); the default is 200" in message


def test_a_key_at_the_wrong_level_is_sent_to_its_place(tmp_path: Path) -> None:
    message = message_of(written(tmp_path, "a.yaml", {"hub_cap": 3}))
    assert message.startswith("1 fault in") and "did you mean providers.graph.hub_cap?" in message


def test_an_unknown_key_like_no_other_lists_the_keys_of_its_place(tmp_path: Path) -> None:
    message = message_of(written(tmp_path, "a.yaml", {"providers": {"tiers": {"qqq": 1}}}))
    assert "providers.tiers.qqq: no such key; keys here: high, elevated, moderate" in message


def test_a_wrong_value_says_what_was_found_and_the_default(tmp_path: Path) -> None:
    message = message_of(written(tmp_path, "a.yaml", {"providers": {"shards": {"count": 0}}}))
    assert (
        "(found 0)" in message and "the default is 4" in message and "greater than or equal to 1" in message
    )


def test_a_rule_over_several_keys_says_what_to_write(tmp_path: Path) -> None:
    message = message_of(written(tmp_path, "a.yaml", {"providers": {"tiers": {"high": 10}}}))
    assert (
        "providers.tiers: tiers must descend: high > elevated > moderate, for example 80, 60, 30" in message
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [1\nb: 2", "not valid YAML"),
        ("- 1\n- 2", "expected keys with values"),
        ("1: x", "fault in the configuration"),
        ("providers: 7", "providers: "),
        ("tracks: [providers, memebers]", "tracks.1: "),
    ],
)
def test_malformed_files_are_named(tmp_path: Path, text: str, sentence: str) -> None:
    message = message_of(written(tmp_path, "bad.yaml", text))
    assert sentence in message


def test_a_missing_file_and_an_empty_one(tmp_path: Path) -> None:
    assert "config file not found" in message_of(tmp_path / "gone.yaml")
    assert load([written(tmp_path, "empty.yaml", "")]) == RiskflowConfig()


@pytest.mark.parametrize(("track", "name", "stage"), STAGES, ids=lambda v: v if isinstance(v, str) else "")
def test_a_stage_is_given_exactly_its_keys(track: str, name: str, stage: type[StageConfig]) -> None:
    config = RiskflowConfig()
    params = stage_params(config, stage)
    assert stage.track == track
    assert params == sorted(params) and len(params) == len(set(params))
    sections = {param.split("=")[0].split(".")[1] for param in params}
    assert sections == set(stage.model_fields)
    leaves = dict(param.removeprefix("config.").split("=", 1) for param in params)
    section = getattr(config, track)
    rebuilt = stage.model_validate(nested_values(leaves))
    assert all(getattr(rebuilt, field) == getattr(section, field) for field in stage.model_fields)


@pytest.mark.parametrize(("track", "name", "stage"), STAGES, ids=lambda v: v if isinstance(v, str) else "")
def test_no_key_of_another_section_reaches_a_stage(track: str, name: str, stage: type[StageConfig]) -> None:
    model = type(getattr(RiskflowConfig(), track))
    assert set(stage.model_fields) <= set(model.model_fields)
    for field, info in stage.model_fields.items():
        assert info.annotation is model.model_fields[field].annotation


def test_two_keys_that_swap_values_change_the_params() -> None:
    """Snakemake compares params as a set of values: each value must carry its key."""
    straight = validated({"providers": {"flags": {"billing": 70, "trajectory": 50}}})
    swapped = validated({"providers": {"flags": {"billing": 50, "trajectory": 70}}})
    stage = providers.STAGES["explain"]
    assert set(stage_params(straight, stage)) != set(stage_params(swapped, stage))


@given(st.dictionaries(NAMES, TREES, min_size=1, max_size=3))
def test_leaves_and_trees_are_the_same_thing(tree: dict[str, Any]) -> None:
    assert nested_values(leaf_values(tree)) == tree


def test_maps_whose_keys_are_not_names_are_one_leaf() -> None:
    tree = {"columns": {"npi": {"A B": 1, "C": 2}}}
    assert list(leaf_values(tree)) == ["columns.npi"]
    assert nested_values(leaf_values(tree)) == tree

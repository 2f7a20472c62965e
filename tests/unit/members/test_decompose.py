from itertools import product

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskflow.errors import RiskflowError
from riskflow.members.decompose import Step, factorial, factorial_moments, marginal, sequential, turnover
from riskflow.members.moments import Options, member_index

POPULATIONS = ("intersection", "baseline_population", "scenario_population")
scores = st.floats(0, 50, allow_nan=False)
months = st.integers(1, 12)
options = st.builds(
    Options, metric=st.sampled_from(["mean", "sum"]), weight=st.sampled_from(["members", "member_months"])
)


def run(rows):
    """rows: member → (score, months) or (score, months, metal)."""
    cells = [(f"m{k:03}", *map(float, v[:2]), v[2] if len(v) > 2 else "silver") for k, v in rows.items()]
    schema = {"member_id": pl.String, "score": pl.Float64, "member_months": pl.Float64, "metal": pl.String}
    return pl.DataFrame(cells, schema=schema, orient="row").sort("member_id")


def runs_of(members, min_size=1):
    return st.dictionaries(members, st.tuples(scores, months), min_size=min_size, max_size=12).map(run)


def shared_runs(count):
    """Return runs over one member set with the same months."""
    return st.dictionaries(
        st.integers(0, 30),
        st.tuples(months, st.lists(scores, min_size=count, max_size=count)),
        min_size=1,
        max_size=12,
    ).map(lambda rows: {f"r{i}": run({k: (v[1][i], v[0]) for k, v in rows.items()}) for i in range(count)})


def measure(frame, option):
    weight = np.ones(frame.height) if option.weight == "members" else frame["member_months"].to_numpy()
    total = (frame["score"].to_numpy() * weight).sum()
    return total if option.metric == "sum" else total / weight.sum()


def whole(effects):
    return effects.filter(pl.col("dimension") == "all")


@settings(deadline=None)
@given(shared_runs(4), options, st.lists(st.sampled_from(POPULATIONS), min_size=3, max_size=3))
def test_sequential_adds_up_on_one_member_set(runs, option, modes):
    steps = [Step("x", "r1", modes[0]), Step("y", "r2", modes[1])]
    effects = sequential(runs, "r0", steps, "r3", member_index(list(runs.values())), option, modes[2])
    assert effects["effect"].to_list() == ["x", "y", "Interaction"]
    assert effects["value"].sum() == pytest.approx(
        measure(runs["r3"], option) - measure(runs["r0"], option), abs=1e-8
    )
    assert effects["identity_holds"].all()
    assert effects["residual"][0] == pytest.approx(effects["value"][2], abs=1e-8)


@settings(deadline=None)
@given(shared_runs(4), options)
def test_marginal_interaction_closes_the_gap(runs, option):
    steps = [Step("x", "r1"), Step("y", "r2")]
    effects = marginal(runs, "r0", steps, "r3", member_index(list(runs.values())), option)
    assert effects["value"].sum() == pytest.approx(effects["total"][0], abs=1e-8)
    assert effects["value"][0] == pytest.approx(
        measure(runs["r1"], option) - measure(runs["r0"], option), abs=1e-8
    )
    assert effects["value"][2] == pytest.approx(effects["residual"][0], abs=1e-8)


def test_sequential_tells_when_it_does_not_add_up():
    runs = {"a": run({1: (1, 12), 2: (3, 12)}), "c": run({1: (2, 12)}), "b": run({1: (5, 12), 2: (7, 12)})}
    index = member_index(list(runs.values()))
    effects = sequential(runs, "a", [Step("x", "c")], "b", index, Options())
    # a→c over member 1: +1; c→b over member 1: +3; a→b over both: +4 — and with sum the identity breaks
    assert effects["value"].to_list() == [1.0, 3.0]
    assert effects["identity_holds"].all()
    summed = sequential(runs, "a", [Step("x", "c")], "b", index, Options(metric="sum"))
    assert summed["total"][0] == 8.0
    assert summed["identity_gap"][0] == pytest.approx(4.0)
    assert not summed["identity_holds"].any()


def test_population_modes_by_hand():
    runs = {"a": run({1: (1.0, 12), 2: (2.0, 6)}), "b": run({2: (5.0, 6), 3: (4.0, 3)})}
    index = member_index(list(runs.values()))

    def total(mode, **kw):
        return sequential(runs, "a", [Step("x", "b", mode)], "b", index, Options(**kw), mode)["total"][0]

    assert total("intersection") == 3.0
    assert total("baseline_population") == pytest.approx(((0 - 1) + (5 - 2)) / 2)
    assert total("scenario_population") == pytest.approx(((5 - 2) + (4 - 0)) / 2)
    assert total("baseline_population", weight="member_months") == pytest.approx((12 * -1 + 6 * 3) / 18)
    assert total("scenario_population", metric="sum") == 7.0


def test_an_empty_population_is_an_error_not_a_zero():
    runs = {"a": run({1: (1, 12)}), "b": run({2: (1, 12)})}
    with pytest.raises(RiskflowError, match="the intersection of runs a and b has no members"):
        sequential(runs, "a", [Step("x", "b")], "b", member_index(list(runs.values())), Options())
    with pytest.raises(RiskflowError, match="share no member"):
        turnover(runs, "a", "b", member_index(list(runs.values())), Options())


@settings(deadline=None)
@given(runs_of(st.integers(0, 12)), runs_of(st.integers(0, 12)), options)
def test_turnover_adds_up_exactly(a, b, option):
    runs = {"a": a, "b": b}
    index = member_index([a, b])
    if option.metric == "mean" and a.join(b, on="member_id").is_empty():
        with pytest.raises(RiskflowError):
            turnover(runs, "a", "b", index, option)
        return
    effects = turnover(runs, "a", "b", index, option)
    assert effects["value"].sum() == pytest.approx(measure(b, option) - measure(a, option), abs=1e-8)
    assert effects["identity_holds"].all()


def test_turnover_by_hand():
    a, b = run({1: (1, 12), 2: (2, 12), 3: (6, 12)}), run({1: (2, 12), 2: (3, 12), 4: (10, 12)})
    effects = turnover({"a": a, "b": b}, "a", "b", member_index([a, b]), Options())
    assert effects["value"].to_list() == pytest.approx([1.0, (10 - 2.5) / 3, -(6 - 1.5) / 3])


@settings(deadline=None)
@given(st.lists(runs_of(st.integers(0, 9)), min_size=8, max_size=8), options)
def test_factorial_adds_up_whatever_the_member_sets(frames, option):
    index = member_index(frames)
    values = factorial_moments([lambda f=f: f for f in frames], index, option)
    effects = factorial(values, ["x", "y", "z"], index, option)
    total = measure(frames[7], option) - measure(frames[0], option)
    for (_view,), rows in effects.group_by("view"):
        assert rows["value"].sum() == pytest.approx(total, abs=1e-8)
        assert rows["identity_holds"].all()


def test_two_factors_show_shapley_and_both_waterfalls():
    frames = [run({1: (s, 12)}) for s in (1.0, 1.2, 1.1, 1.5)]
    index = member_index(frames)
    effects = factorial(
        factorial_moments([lambda f=f: f for f in frames], index, Options()),
        ["model", "data"],
        index,
        Options(),
    )
    values = {(r["view"], r["effect"]): r["value"] for r in effects.iter_rows(named=True)}
    assert values["shapley", "model"] == pytest.approx(0.3)
    assert values["shapley", "data"] == pytest.approx(0.2)
    assert values["waterfall: model → data", "model"] == pytest.approx(0.2)
    assert values["waterfall: data → model", "model"] == pytest.approx(0.4)


def population(seed, size=400):
    rng = np.random.default_rng(seed)
    rows = {i: (rng.gamma(1.2), int(rng.integers(1, 13)), ("gold", "silver")[i % 2]) for i in range(size)}
    return run(rows)


def test_segments_of_a_sum_add_up_to_the_whole():
    a, b = population(1), population(2)
    effects = turnover({"a": a, "b": b}, "a", "b", member_index([a, b], ["metal"]), Options(metric="sum"))
    for (_name,), rows in effects.group_by("effect"):
        parts = rows.filter(pl.col("dimension") == "metal")["value"].sum()
        assert parts == pytest.approx(whole(rows)["value"].item())


def test_a_segment_without_members_on_one_side_has_no_effect_value():
    a, b = run({1: (1, 12, "gold"), 2: (1, 12)}), run({1: (2, 12, "gold"), 3: (4, 12, "bronze")})
    effects = turnover({"a": a, "b": b}, "a", "b", member_index([a, b], ["metal"]), Options())
    bronze = effects.filter(pl.col("segment") == "bronze")
    assert bronze["value"].null_count() > 0
    assert not bronze["identity_holds"].any()


def test_bootstrap_is_seeded_and_covers_the_value():
    a, b = population(1), population(2)
    index = member_index([a, b])
    first = turnover({"a": a, "b": b}, "a", "b", index, Options(replicates=200))
    again = turnover({"a": a, "b": b}, "a", "b", index, Options(replicates=200))
    other = turnover({"a": a, "b": b}, "a", "b", index, Options(replicates=200, seed=2))
    assert first.equals(again)
    assert not first["low"].equals(other["low"])
    continuing = first.row(0, named=True)
    assert continuing["low"] < continuing["value"] < continuing["high"]


def test_bootstrap_width_agrees_with_the_normal_interval():
    a, b = population(3, 3000), population(4, 3000)
    index = member_index([a, b])
    for buckets in (5000, 300):
        row = turnover({"a": a, "b": b}, "a", "b", index, Options(replicates=800, buckets=buckets)).row(
            0, named=True
        )
        difference = b["score"].to_numpy() - a["score"].to_numpy()
        expected = 2 * 1.96 * difference.std() / np.sqrt(difference.size)
        assert row["high"] - row["low"] == pytest.approx(expected, rel=0.15)


def test_row_order_does_not_change_a_byte():
    a, b = population(5), population(6)
    index = member_index([a, b])
    mixed = {"a": a.sample(fraction=1, shuffle=True, seed=1), "b": b.sample(fraction=1, shuffle=True, seed=2)}
    option = Options(replicates=50)
    expected = turnover({"a": a, "b": b}, "a", "b", index, option)
    assert turnover(mixed, "a", "b", member_index(list(mixed.values())), option).equals(expected)


def test_a_run_with_two_rows_for_a_member_is_an_error():
    a = run({1: (1, 12)})
    doubled = pl.concat([a, a])
    with pytest.raises(RiskflowError, match="more than one row for a member"):
        turnover({"a": a, "b": doubled}, "a", "b", member_index([a]), Options())


def test_effect_rows_of_all_methods_share_one_schema():
    frames = {f"r{i}": population(i, 20) for i in range(4)}
    index = member_index(list(frames.values()), ["metal"])
    steps = [Step("x", "r1"), Step("y", "r2")]
    results = [
        method(frames, "r0", steps, "r3", index, Options(replicates=5)) for method in (sequential, marginal)
    ]
    results.append(turnover(frames, "r0", "r3", index, Options(replicates=5)))
    assert len({tuple(r.schema.items()) for r in results}) == 1
    for result, (dimension, segments) in product(results, [("all", 1), ("metal", 2)]):
        assert result.filter(pl.col("dimension") == dimension)["segment"].n_unique() == segments

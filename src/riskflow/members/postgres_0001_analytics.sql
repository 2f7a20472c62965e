-- What the members' runs are compared and explained by: the warehouse's schema main_analytics.
CREATE TABLE run_comparison (
    run_id text NOT NULL,
    run_id_a text NOT NULL,
    run_id_b text NOT NULL,
    population text NOT NULL,
    member_id text NOT NULL,
    score_a double precision,
    score_b double precision,
    score_diff double precision,
    member_months_a double precision,
    member_months_b double precision,
    match_status text NOT NULL,
    row_hash bigint NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (run_id, member_id)
);

CREATE TABLE decomposition (
    run_id text NOT NULL,
    name text NOT NULL,
    view text NOT NULL,
    dimension text NOT NULL,
    segment text NOT NULL,
    "position" bigint NOT NULL,
    effect text NOT NULL,
    value double precision,
    low double precision,
    high double precision,
    total double precision,
    residual double precision,
    identity_gap double precision,
    identity_holds boolean,
    row_hash bigint NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (run_id, name, view, dimension, segment, "position")
);

CREATE TABLE decomposition_definitions (
    run_id text NOT NULL,
    name text NOT NULL,
    description text NOT NULL,
    method text NOT NULL,
    metric text NOT NULL,
    weight text NOT NULL,
    population text NOT NULL,
    baseline text NOT NULL,
    actual text NOT NULL,
    definition jsonb NOT NULL,
    row_hash bigint NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (run_id, name)
);

CREATE TABLE decomposition_scenarios (
    run_id text NOT NULL,
    name text NOT NULL,
    "position" bigint NOT NULL,
    scenario text NOT NULL,
    scenario_run_id text NOT NULL,
    settings jsonb NOT NULL,
    row_hash bigint NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (run_id, name, "position")
);

CREATE TABLE transfers (
    run_id text NOT NULL,
    state text NOT NULL,
    market text NOT NULL,
    pool text NOT NULL,
    plan_id text NOT NULL,
    rating_area bigint NOT NULL,
    metal text NOT NULL,
    member_months double precision NOT NULL,
    billable_months double precision NOT NULL,
    plrs double precision NOT NULL,
    arf double precision NOT NULL,
    av double precision NOT NULL,
    idf double precision NOT NULL,
    gcf double precision NOT NULL,
    average_premium double precision NOT NULL,
    transfer_per_month double precision NOT NULL,
    transfer double precision NOT NULL,
    row_hash bigint NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (run_id, state, market, pool, plan_id, rating_area, metal)
);

CREATE TABLE transfer_pools (
    run_id text NOT NULL,
    state text NOT NULL,
    market text NOT NULL,
    pool text NOT NULL,
    plan_areas bigint NOT NULL,
    billable_months double precision NOT NULL,
    average_score double precision NOT NULL,
    average_risk double precision NOT NULL,
    average_rating double precision NOT NULL,
    average_premium double precision NOT NULL,
    transfer_premium double precision NOT NULL,
    balance double precision NOT NULL,
    transferred double precision NOT NULL,
    balanced boolean NOT NULL,
    row_hash bigint NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (run_id, state, market, pool)
);

-- The members part of the warehouse. Runs once per publish; every statement may run again.
CREATE SCHEMA IF NOT EXISTS main_intermediate;
CREATE SCHEMA IF NOT EXISTS main_runs;
CREATE SCHEMA IF NOT EXISTS main_analytics;

CREATE TABLE IF NOT EXISTS main_runs.run_registry (
    run_id VARCHAR PRIMARY KEY,
    run_timestamp TIMESTAMP NOT NULL,
    group_id VARCHAR NOT NULL,
    group_description VARCHAR NOT NULL,
    run_description VARCHAR NOT NULL,
    analysis_type VARCHAR NOT NULL CHECK (analysis_type IN ('scoring', 'comparison', 'decomposition')),
    calculator VARCHAR NOT NULL,
    model_version VARCHAR NOT NULL,
    benefit_year INTEGER NOT NULL,
    data_effective DATE,
    config JSON NOT NULL,
    inputs JSON NOT NULL,
    git_branch VARCHAR NOT NULL,
    git_commit VARCHAR NOT NULL,
    git_clean BOOLEAN NOT NULL,
    git_commit_date VARCHAR NOT NULL,
    status VARCHAR NOT NULL CHECK (status IN ('started', 'completed', 'failed')),
    trigger_source VARCHAR NOT NULL,
    owner JSON NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);

-- Which content each table holds for a run: publishing the same content again writes nothing.
CREATE TABLE IF NOT EXISTS main_runs.published (
    table_name VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL,
    digest VARCHAR NOT NULL,
    row_count BIGINT NOT NULL,
    PRIMARY KEY (table_name, run_id)
);

-- Scores as they were made. The view main_runs.risk_scores has their details and components as JSON.
CREATE TABLE IF NOT EXISTS main_runs.scored_spans (
    run_id VARCHAR NOT NULL,
    member_id VARCHAR NOT NULL,
    span_id VARCHAR NOT NULL,
    benefit_year SMALLINT NOT NULL,
    vintage VARCHAR NOT NULL,
    model_version VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    metal VARCHAR NOT NULL,
    csr_indicator BIGINT,
    plan_id VARCHAR,
    issuer VARCHAR,
    market VARCHAR,
    state VARCHAR,
    rating_area BIGINT,
    sex VARCHAR NOT NULL,
    age_last SMALLINT NOT NULL,
    enrolled_days SMALLINT NOT NULL,
    member_months DOUBLE NOT NULL,
    enrolment_duration SMALLINT NOT NULL,
    raw_score DOUBLE NOT NULL,
    csr_factor DOUBLE NOT NULL,
    csr_adjusted_score DOUBLE NOT NULL,
    variables VARCHAR[] NOT NULL,
    coefficients DOUBLE[] NOT NULL
);

CREATE TABLE IF NOT EXISTS main_intermediate.enrolment_spans (
    run_id VARCHAR NOT NULL,
    member_id VARCHAR NOT NULL,
    span_id VARCHAR NOT NULL,
    family_id VARCHAR NOT NULL,
    sex VARCHAR NOT NULL,
    date_of_birth DATE NOT NULL,
    plan_id VARCHAR NOT NULL,
    issuer VARCHAR NOT NULL,
    market VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    rating_area BIGINT,
    metal VARCHAR NOT NULL,
    csr_indicator BIGINT NOT NULL,
    enrolment_start DATE NOT NULL,
    enrolment_end DATE NOT NULL,
    premium DOUBLE
);

CREATE TABLE IF NOT EXISTS main_intermediate.rejected_evidence (
    run_id VARCHAR NOT NULL,
    member_id VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    row_id BIGINT NOT NULL,
    code VARCHAR,
    reason VARCHAR NOT NULL
);

CREATE TABLE IF NOT EXISTS main_intermediate.unpaid_codes (
    run_id VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    code VARCHAR,
    row_count BIGINT NOT NULL
);

CREATE TABLE IF NOT EXISTS main_analytics.run_comparison (
    run_id VARCHAR NOT NULL,
    run_id_a VARCHAR NOT NULL,
    run_id_b VARCHAR NOT NULL,
    population VARCHAR NOT NULL,
    member_id VARCHAR NOT NULL,
    score_a DOUBLE,
    score_b DOUBLE,
    score_diff DOUBLE,
    member_months_a DOUBLE,
    member_months_b DOUBLE,
    match_status VARCHAR NOT NULL
);

CREATE TABLE IF NOT EXISTS main_analytics.decomposition (
    run_id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    view VARCHAR NOT NULL,
    dimension VARCHAR NOT NULL,
    segment VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    effect VARCHAR NOT NULL,
    value DOUBLE,
    low DOUBLE,
    high DOUBLE,
    total DOUBLE,
    residual DOUBLE,
    identity_gap DOUBLE,
    identity_holds BOOLEAN
);

CREATE TABLE IF NOT EXISTS main_analytics.decomposition_definitions (
    run_id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    description VARCHAR NOT NULL,
    method VARCHAR NOT NULL,
    metric VARCHAR NOT NULL,
    weight VARCHAR NOT NULL,
    population VARCHAR NOT NULL,
    baseline VARCHAR NOT NULL,
    actual VARCHAR NOT NULL,
    definition JSON NOT NULL
);

CREATE TABLE IF NOT EXISTS main_analytics.decomposition_scenarios (
    run_id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    position BIGINT NOT NULL,
    scenario VARCHAR NOT NULL,
    scenario_run_id VARCHAR NOT NULL,
    settings JSON NOT NULL
);

CREATE TABLE IF NOT EXISTS main_analytics.transfers (
    run_id VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    market VARCHAR NOT NULL,
    pool VARCHAR NOT NULL,
    plan_id VARCHAR NOT NULL,
    rating_area BIGINT NOT NULL,
    metal VARCHAR NOT NULL,
    member_months DOUBLE NOT NULL,
    billable_months DOUBLE NOT NULL,
    plrs DOUBLE NOT NULL,
    arf DOUBLE NOT NULL,
    av DOUBLE NOT NULL,
    idf DOUBLE NOT NULL,
    gcf DOUBLE NOT NULL,
    average_premium DOUBLE NOT NULL,
    transfer_per_month DOUBLE NOT NULL,
    transfer DOUBLE NOT NULL
);

CREATE TABLE IF NOT EXISTS main_analytics.transfer_pools (
    run_id VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    market VARCHAR NOT NULL,
    pool VARCHAR NOT NULL,
    plan_areas BIGINT NOT NULL,
    billable_months DOUBLE NOT NULL,
    average_score DOUBLE NOT NULL,
    average_risk DOUBLE NOT NULL,
    average_rating DOUBLE NOT NULL,
    average_premium DOUBLE NOT NULL,
    transfer_premium DOUBLE NOT NULL,
    balance DOUBLE NOT NULL,
    transferred DOUBLE NOT NULL,
    balanced BOOLEAN NOT NULL
);

-- The tables of one run, made anew inside the transaction that fills them. Dropped from the last reference to the
-- first: DuckDB cannot delete referenced rows in the transaction that deletes what refers to them, but it can drop.
CREATE SCHEMA IF NOT EXISTS notes;
DROP TABLE IF EXISTS notes.audit;
DROP TABLE IF EXISTS notes.observations;
DROP TABLE IF EXISTS notes.encounters;
DROP TABLE IF EXISTS notes.patients;
DROP TABLE IF EXISTS notes.quarantine;

CREATE TABLE notes.patients (
    patient_id VARCHAR PRIMARY KEY,
    birth_year SMALLINT,
    birth_date DATE,
    over_89 BOOLEAN NOT NULL,
    gender VARCHAR,
    deceased BOOLEAN,
    death_year SMALLINT,
    death_date DATE,
    marital_status VARCHAR,
    zip3 VARCHAR,
    state VARCHAR,
    country VARCHAR,
    language VARCHAR,
    organization_id VARCHAR,
    run_id VARCHAR NOT NULL
);

CREATE TABLE notes.encounters (
    encounter_id VARCHAR PRIMARY KEY,
    patient_id VARCHAR NOT NULL REFERENCES notes.patients (patient_id),
    status VARCHAR,
    class_code VARCHAR,
    type VARCHAR,
    service_type VARCHAR,
    priority VARCHAR,
    start_year SMALLINT,
    start_date DATE,
    end_date DATE,
    day INTEGER,
    length_minutes BIGINT,
    reason_code VARCHAR,
    diagnosis_codes VARCHAR[],
    participant_role VARCHAR,
    participant_id VARCHAR,
    facility_id VARCHAR,
    service_provider_id VARCHAR,
    run_id VARCHAR NOT NULL
);

CREATE TABLE notes.observations (
    observation_id VARCHAR PRIMARY KEY,
    patient_id VARCHAR NOT NULL REFERENCES notes.patients (patient_id),
    encounter_id VARCHAR REFERENCES notes.encounters (encounter_id),
    status VARCHAR,
    category VARCHAR,
    code VARCHAR,
    effective_year SMALLINT,
    effective_date DATE,
    issued_date DATE,
    day INTEGER,
    performer_id VARCHAR,
    value VARCHAR,
    unit VARCHAR,
    interpretation VARCHAR,
    body_site VARCHAR,
    method VARCHAR,
    device VARCHAR,
    reference_range VARCHAR,
    note_status VARCHAR CHECK (note_status IN ('redacted', 'withheld')),
    note_reason VARCHAR,
    note VARCHAR,
    run_id VARCHAR NOT NULL,
    -- a note that is not marked as redacted has no text here
    CHECK (note IS NULL OR coalesce(note_status, '') = 'redacted')
);

CREATE TABLE notes.audit (
    observation_id VARCHAR NOT NULL REFERENCES notes.observations (observation_id),
    "start" UINTEGER NOT NULL,
    "end" UINTEGER NOT NULL,
    kind VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    detector VARCHAR NOT NULL,
    value_hash VARCHAR NOT NULL,
    run_id VARCHAR NOT NULL
);

CREATE TABLE notes.quarantine (
    rule_id VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    line BIGINT NOT NULL,
    reason VARCHAR NOT NULL,
    "row" JSON,
    run_id VARCHAR NOT NULL
);

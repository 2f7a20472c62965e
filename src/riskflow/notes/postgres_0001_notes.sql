-- De-identified patients, encounters and observations with their redacted notes, what was replaced, and what was refused.
CREATE TABLE patients (
    patient_id text PRIMARY KEY,
    birth_year smallint,
    birth_date date,
    over_89 boolean NOT NULL,
    gender text,
    deceased boolean,
    death_year smallint,
    death_date date,
    marital_status text,
    zip3 text,
    state text,
    country text,
    language text,
    organization_id text,
    row_hash bigint NOT NULL,
    run_id text NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE encounters (
    encounter_id text PRIMARY KEY,
    patient_id text NOT NULL REFERENCES patients (patient_id),
    status text,
    class_code text,
    type text,
    service_type text,
    priority text,
    start_year smallint,
    start_date date,
    end_date date,
    day integer,
    length_minutes bigint,
    reason_code text,
    diagnosis_codes text [],
    participant_role text,
    participant_id text,
    facility_id text,
    service_provider_id text,
    row_hash bigint NOT NULL,
    run_id text NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE observations (
    observation_id text PRIMARY KEY,
    patient_id text NOT NULL REFERENCES patients (patient_id),
    encounter_id text REFERENCES encounters (encounter_id),
    status text,
    category text,
    code text,
    effective_year smallint,
    effective_date date,
    issued_date date,
    day integer,
    performer_id text,
    value text,
    unit text,
    interpretation text,
    body_site text,
    method text,
    device text,
    reference_range text,
    note_status text CHECK (note_status IN ('redacted', 'withheld')),
    note_reason text,
    note text,
    row_hash bigint NOT NULL,
    run_id text NOT NULL,
    updated_at timestamptz NOT NULL,
    -- a note that is not marked as redacted has no text here
    CHECK (note IS NULL OR coalesce(note_status, '') = 'redacted')
);

CREATE TABLE audit (
    observation_id text NOT NULL REFERENCES observations (observation_id),
    "start" bigint NOT NULL,
    "end" bigint NOT NULL,
    kind text NOT NULL,
    source text NOT NULL,
    detector text NOT NULL,
    value_hash text NOT NULL,
    row_hash bigint NOT NULL,
    run_id text NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (observation_id, "start")
);

CREATE TABLE quarantine (
    rule_id text NOT NULL,
    source text NOT NULL,
    line bigint NOT NULL,
    reason text NOT NULL,
    "row" jsonb,
    row_hash bigint NOT NULL,
    run_id text NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (source, line, rule_id)
);

-- The server looks for what refers to a row that goes.
CREATE INDEX encounters_patient_id ON encounters (patient_id);
CREATE INDEX observations_patient_id ON observations (patient_id);
CREATE INDEX observations_encounter_id ON observations (encounter_id);

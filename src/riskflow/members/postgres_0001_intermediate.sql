-- What the members' runs were made from: the warehouse's schema main_intermediate.
CREATE TABLE enrolment_spans (
    run_id text NOT NULL,
    member_id text NOT NULL,
    span_id text NOT NULL,
    family_id text NOT NULL,
    sex text NOT NULL,
    date_of_birth date NOT NULL,
    plan_id text NOT NULL,
    issuer text NOT NULL,
    market text NOT NULL,
    state text NOT NULL,
    rating_area bigint,
    metal text NOT NULL,
    csr_indicator bigint NOT NULL,
    enrolment_start date NOT NULL,
    enrolment_end date NOT NULL,
    premium double precision,
    row_hash bigint NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (run_id, member_id, span_id)
);

CREATE TABLE rejected_evidence (
    run_id text NOT NULL,
    member_id text NOT NULL,
    kind text NOT NULL,
    row_id bigint NOT NULL,
    code text,
    reason text NOT NULL,
    row_hash bigint NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (run_id, member_id, kind, row_id)
);

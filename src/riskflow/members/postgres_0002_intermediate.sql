-- The codes that pay nothing in the year, summed up: their rows are most of any claim file.
CREATE TABLE unpaid_codes (
    run_id text NOT NULL,
    kind text NOT NULL,
    code text NOT NULL,
    row_count bigint NOT NULL,
    row_hash bigint NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (run_id, kind, code)
);

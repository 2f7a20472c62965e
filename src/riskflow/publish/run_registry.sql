-- One row per run of a track: what was run, from what code, config and data. Not one per publish.
CREATE TABLE IF NOT EXISTS run_registry (
    run_id VARCHAR NOT NULL,
    track VARCHAR NOT NULL,
    method VARCHAR NOT NULL,
    rows_published BIGINT NOT NULL,
    config JSON NOT NULL,
    code JSON NOT NULL,
    data JSON NOT NULL,
    git_branch VARCHAR,
    git_commit VARCHAR,
    git_commit_date VARCHAR,
    git_clean BOOLEAN,
    status VARCHAR NOT NULL,
    published_at TIMESTAMPTZ NOT NULL
);

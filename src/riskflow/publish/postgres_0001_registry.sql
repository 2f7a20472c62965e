-- What riskflow knows about its own tables and runs.
CREATE TABLE riskflow_migrations (
    name text PRIMARY KEY,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE run_registry (
    run_id text PRIMARY KEY,
    track text NOT NULL,
    method text NOT NULL,
    rows_published bigint NOT NULL,
    config jsonb NOT NULL,
    code jsonb NOT NULL,
    data jsonb NOT NULL,
    git_branch text,
    git_commit text,
    git_commit_date text,
    git_clean boolean,
    status text NOT NULL,
    made_at timestamptz NOT NULL,
    published_at timestamptz NOT NULL
);

-- The run that each published table holds now.
CREATE TABLE published_tables (
    table_name text PRIMARY KEY,
    run_id text NOT NULL REFERENCES run_registry (run_id),
    made_at timestamptz NOT NULL,
    rows_published bigint NOT NULL,
    digest text NOT NULL,
    published_at timestamptz NOT NULL
);

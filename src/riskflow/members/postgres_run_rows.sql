-- The runs as PostgreSQL keeps them: when they were made is told by their receipts, not by when they were published.
CREATE OR REPLACE TABLE main_runs.run_rows AS
SELECT * EXCLUDE (created_at, updated_at) REPLACE (CAST($made_at AS TIMESTAMP) AS run_timestamp)
FROM main_runs.run_registry

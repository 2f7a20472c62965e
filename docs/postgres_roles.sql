-- Least privilege for PostgreSQL: run once as the owner of the database, for example
--   psql -d riskflow -f docs/postgres_roles.sql
-- after the first publish of each track (as the owner, who may make schemas and tables) has made the tables, and
-- again after an update of riskflow that brought new tables. Other names than the default ones of publish.postgres:
--   -v schema=riskflow -v members=main -v notes=notes, and for raw tables to read from -v raw=raw
-- riskflow_publisher writes rows; riskflow_reader reads them, and the raw tables; neither makes or changes a table.
\if :{?schema} \else \set schema riskflow \endif
\if :{?members} \else \set members main \endif
\if :{?notes} \else \set notes notes \endif
\if :{?raw} \else \set raw raw \endif
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'riskflow_publisher') THEN
        CREATE ROLE riskflow_publisher LOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'riskflow_reader') THEN
        CREATE ROLE riskflow_reader LOGIN;
    END IF;
END
$$;
CREATE TEMP TABLE published_schemas AS
SELECT nspname::text AS name FROM pg_namespace
WHERE nspname IN (
    :'schema', :'notes', :'members' || '_intermediate', :'members' || '_runs', :'members' || '_analytics'
);
SELECT format('GRANT USAGE ON SCHEMA %I TO riskflow_publisher, riskflow_reader', name) FROM published_schemas \gexec
SELECT format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO riskflow_publisher, riskflow_reader', name)
FROM published_schemas \gexec
SELECT format('GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO riskflow_publisher', name)
FROM published_schemas \gexec
REVOKE INSERT, UPDATE, DELETE ON :"schema".riskflow_migrations FROM riskflow_publisher;
SELECT format('GRANT TEMPORARY ON DATABASE %I TO riskflow_publisher', current_database()) \gexec
SELECT format('GRANT USAGE ON SCHEMA %I TO riskflow_reader', nspname) FROM pg_namespace WHERE nspname = :'raw' \gexec
SELECT format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO riskflow_reader', nspname)
FROM pg_namespace WHERE nspname = :'raw' \gexec

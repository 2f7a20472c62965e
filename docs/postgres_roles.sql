-- Least privilege for PostgreSQL: run once as the owner of the database, for example
--   psql -d riskflow -v schema=riskflow -f docs/postgres_roles.sql
-- after the first publish (or `riskflow_owner`, below, did it) has made the tables.
-- riskflow_owner makes and changes tables; riskflow_publisher writes rows; riskflow_reader reads them.
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
GRANT USAGE ON SCHEMA :"schema" TO riskflow_publisher, riskflow_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA :"schema" TO riskflow_publisher, riskflow_reader;
GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA :"schema" TO riskflow_publisher;
REVOKE INSERT, UPDATE, DELETE ON :"schema".riskflow_migrations FROM riskflow_publisher;
SELECT format('GRANT TEMPORARY ON DATABASE %I TO riskflow_publisher', current_database()) \gexec

SELECT table_type
FROM information_schema.tables
WHERE table_catalog = current_database() AND table_schema = 'main_runs' AND table_name = 'risk_scores';

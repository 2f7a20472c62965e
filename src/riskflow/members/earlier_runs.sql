-- Scoring runs whose scores are in the warehouse, newest first.
SELECT run_id, analysis_type, calculator, model_version, CAST(benefit_year AS BIGINT) AS benefit_year, data_effective,
       CAST(config AS VARCHAR) AS config, CAST(inputs AS VARCHAR) AS inputs
FROM main_runs.run_registry
WHERE analysis_type = 'scoring' AND status = 'completed'
  AND run_id IN (SELECT run_id FROM main_runs.published WHERE table_name = 'main_runs.risk_scores')
ORDER BY run_timestamp DESC, run_id

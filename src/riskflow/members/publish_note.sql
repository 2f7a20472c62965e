INSERT INTO main_runs.published VALUES ($table_name, $run_id, $digest, $rows)
ON CONFLICT (table_name, run_id) DO UPDATE SET digest = excluded.digest, row_count = excluded.row_count

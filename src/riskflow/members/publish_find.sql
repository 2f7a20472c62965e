SELECT digest, row_count FROM main_runs.published WHERE table_name = $table_name AND run_id = $run_id

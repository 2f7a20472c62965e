DELETE FROM main_intermediate.enrolment_spans WHERE run_id = $run_id;
INSERT INTO main_intermediate.enrolment_spans BY NAME
SELECT $run_id AS run_id, *
FROM read_parquet($path);

-- In the order of the foreign keys: who is referred to comes first.
INSERT INTO notes.patients BY NAME SELECT *, $run_id AS run_id FROM read_parquet($patients);
INSERT INTO notes.encounters BY NAME SELECT *, $run_id AS run_id FROM read_parquet($encounters);
INSERT INTO notes.observations BY NAME SELECT *, $run_id AS run_id FROM read_parquet($observations);
INSERT INTO notes.audit BY NAME SELECT *, $run_id AS run_id FROM read_parquet($audit);
INSERT INTO notes.quarantine BY NAME SELECT *, $run_id AS run_id FROM read_parquet($quarantine);

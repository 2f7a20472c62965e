-- A batch's rows without its run: a row that is the same in the next run stays as it is.
CREATE OR REPLACE VIEW patients_to_publish AS SELECT * EXCLUDE (run_id) FROM notes.patients;
CREATE OR REPLACE VIEW encounters_to_publish AS SELECT * EXCLUDE (run_id) FROM notes.encounters;
CREATE OR REPLACE VIEW observations_to_publish AS SELECT * EXCLUDE (run_id) FROM notes.observations;
CREATE OR REPLACE VIEW audit_to_publish AS SELECT * EXCLUDE (run_id) FROM notes.audit;
CREATE OR REPLACE VIEW quarantine_to_publish AS SELECT * EXCLUDE (run_id) FROM notes.quarantine;

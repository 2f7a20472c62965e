-- Replaces the rows that differ and leaves the others, with their time, alone.
CREATE OR REPLACE TEMP TABLE changed AS
SELECT * FROM incoming
EXCEPT
SELECT * EXCLUDE (run_id, updated_at) FROM provider_risk_scores;
DELETE FROM provider_risk_scores WHERE npi IN (SELECT npi FROM changed);
DELETE FROM provider_risk_scores WHERE $whole AND npi NOT IN (SELECT npi FROM incoming);
INSERT INTO provider_risk_scores
SELECT *, $run_id, now() FROM changed ORDER BY npi;

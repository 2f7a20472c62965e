CREATE OR REPLACE TEMP TABLE incoming AS SELECT * FROM scores_rows($scores)

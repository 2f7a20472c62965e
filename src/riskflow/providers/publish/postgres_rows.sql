-- The run's rows where every cursor sees them, and once only.
CREATE OR REPLACE TABLE scores_to_publish AS SELECT * FROM incoming;
DROP TABLE incoming;

-- The incoming rows with a 60-bit hash of all their columns.
CREATE OR REPLACE TABLE rows_to_publish AS
SELECT
    CAST('0x' || substr(md5(CAST(to_json(i) AS VARCHAR)), 1, 15) AS BIGINT) AS row_hash,
    i.*
FROM keyed_rows AS i

-- The incoming rows with a 60-bit hash of their columns.
CREATE OR REPLACE TABLE rows_to_publish AS
SELECT
    CAST('0x' || substr(md5(CAST(to_json(hashed) AS VARCHAR)), 1, 15) AS BIGINT) AS row_hash,
    k.* EXCLUDE (hashed)
FROM keyed_rows AS k

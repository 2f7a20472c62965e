-- The incoming rows with their key and a 60-bit hash of all their columns.
CREATE OR REPLACE TABLE rows_to_publish AS
SELECT
    i.npi AS publish_key,
    CAST('0x' || substr(md5(CAST(to_json(i) AS VARCHAR)), 1, 15) AS BIGINT) AS row_hash,
    i.*
FROM incoming AS i;
DROP TABLE incoming;

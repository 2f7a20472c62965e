-- Key of each row to publish and a 60-bit hash of its columns; the rows themselves are only ever streamed.
CREATE OR REPLACE TABLE keys_to_publish AS
SELECT
    publish_key,
    CAST('0x' || substr(md5(CAST(to_json(hashed) AS VARCHAR)), 1, 15) AS BIGINT) AS row_hash
FROM keyed_rows;
CREATE OR REPLACE VIEW rows_to_publish AS
SELECT c.row_hash, k.* EXCLUDE (hashed)
FROM keyed_rows AS k
INNER JOIN keys_to_publish AS c ON k.publish_key = c.publish_key;

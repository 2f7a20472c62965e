-- The rows of the keys that changed, in the order of their artifact.
SELECT c.row_hash, k.* EXCLUDE (publish_key, hashed)
FROM keyed_rows AS k
INNER JOIN changed_keys AS c ON k.publish_key = c.publish_key

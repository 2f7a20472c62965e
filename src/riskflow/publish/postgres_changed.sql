-- Keys of rows that the table does not hold, or holds with another hash; with $trusted false, all keys.
CREATE OR REPLACE TABLE changed_keys AS
SELECT k.publish_key, k.row_hash
FROM keys_to_publish AS k
ANTI JOIN held ON k.publish_key = held.publish_key AND k.row_hash = held.row_hash AND $trusted

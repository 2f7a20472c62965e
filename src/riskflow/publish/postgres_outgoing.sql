-- Rows that the table does not hold, or holds with another hash; with $trusted false, all rows.
SELECT r.* EXCLUDE (publish_key)
FROM rows_to_publish AS r
ANTI JOIN held ON r.publish_key = held.publish_key AND r.row_hash = held.row_hash AND $trusted
ORDER BY r.publish_key

-- Keys that the table holds and the run does not.
SELECT held.publish_key
FROM held
ANTI JOIN rows_to_publish AS r ON held.publish_key = r.publish_key
ORDER BY held.publish_key

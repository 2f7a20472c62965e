-- Keys that the table holds and the run does not.
SELECT held.publish_key
FROM held
ANTI JOIN keys_to_publish AS k ON held.publish_key = k.publish_key

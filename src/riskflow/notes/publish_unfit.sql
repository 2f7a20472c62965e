-- Observations whose note is neither redacted (text, no reason) nor withheld (reason, no text) nor absent.
SELECT observation_id
FROM read_parquet($observations)
WHERE NOT coalesce(
    (note_status = 'redacted' AND note IS NOT NULL AND note_reason IS NULL)
    OR (note_status = 'withheld' AND note IS NULL AND note_reason IS NOT NULL)
    OR (note_status IS NULL AND note IS NULL AND note_reason IS NULL),
    FALSE
)
ORDER BY observation_id

-- How many notes the batch has, redacted or withheld.
SELECT count(*) FROM read_parquet($observations) WHERE note_status IS NOT NULL

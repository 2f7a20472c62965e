-- Key and hash of the rows that the table holds, as the server told them.
CREATE OR REPLACE TABLE held AS
SELECT publish_key, row_hash
FROM read_csv(
    $file, header = false, columns = {'publish_key': 'VARCHAR', 'row_hash': 'BIGINT'}, delim = ',',
    quote = '"', escape = '"', new_line = '\n', auto_detect = false, max_line_size = 16777216
)

-- Where a finished text holds what it must not: one row per cell and check.
WITH words AS (
    SELECT cell, patient_id, unnest(regexp_extract_all(strip_accents(text), '[A-Za-z]+(?:[''’][A-Za-z]+)*')) AS word
    FROM cells WHERE NOT closed
),
plain_words AS (
    SELECT cell, patient_id, word,
        lower(regexp_replace(regexp_replace(word, '[''’]s$', ''), '[''’]', '', 'g')) AS plain
    FROM words
),
runs AS (
    SELECT cell, patient_id, regexp_replace(run, '\D', '', 'g') AS digits
    FROM (SELECT cell, patient_id, unnest(regexp_extract_all(text, '\d[\d\s().+/_-]{4,}\d')) AS run FROM cells)
    WHERE length(regexp_replace(run, '\D', '', 'g')) >= 7
    UNION
    SELECT cell, patient_id, unnest(regexp_extract_all(text, '\d{7,}')) FROM cells
),
codes AS (
    SELECT cell, patient_id, lower(regexp_replace(token, '[^A-Za-z0-9]', '', 'g')) AS code
    FROM (
        SELECT cell, patient_id, unnest(regexp_extract_all(text, '[A-Za-z0-9]+(?:[-_./:][A-Za-z0-9]+)*')) AS token
        FROM cells
    )
    WHERE length(token) >= 6 AND regexp_matches(token, '\d')
),
own AS (
    SELECT w.cell, i.what AS found
    FROM plain_words AS w JOIN identifiers AS i ON i.patient_id = w.patient_id AND i.shape = 'word' AND i.value = w.plain
    WHERE NOT EXISTS (SELECT 1 FROM ordinary AS o WHERE o.word = w.plain AND w.word = lower(w.word))
    UNION
    SELECT r.cell, i.what
    FROM runs AS r JOIN identifiers AS i ON i.patient_id = r.patient_id AND i.shape = 'digits'
        AND (r.digits = i.value OR (length(i.value) >= 9 AND contains(r.digits, i.value)))
    UNION
    SELECT k.cell, i.what
    FROM codes AS k JOIN identifiers AS i ON i.patient_id = k.patient_id AND i.shape = 'code' AND contains(k.code, i.value)
    UNION
    SELECT l.cell, i.what
    FROM (SELECT cell, patient_id, lower(strip_accents(text)) AS text FROM cells WHERE length(text) >= 6) AS l
    JOIN identifiers AS i ON i.patient_id = l.patient_id AND i.shape = 'phrase' AND contains(l.text, i.value)
),
residual AS (
    SELECT c.cell, p.what AS found
    FROM cells AS c JOIN patterns AS p ON regexp_matches(c.text, p.pattern)
    WHERE NOT c.closed
),
canary AS (
    SELECT c.cell, 'canary' AS found
    FROM cells AS c JOIN canaries AS k ON contains(lower(c.text), lower(k.text))
)
SELECT DISTINCT c.table_name AS "table", c.column_name AS "column", c.record_id, f.found AS "check"
FROM (SELECT * FROM own UNION SELECT * FROM residual UNION SELECT * FROM canary) AS f
JOIN cells AS c USING (cell)
ORDER BY ALL

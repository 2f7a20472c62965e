-- One row per identifier of a source patient, in the shapes in which it could stand in a finished text:
-- word (one name word), digits (seven digits or more), code (letters and digits), phrase (lower-case words).
WITH names AS (
    SELECT patient_id, unnest(regexp_extract_all(strip_accents(name), '[A-Za-z]+')) AS word
    FROM (
        SELECT patient_id, replace(replace(family_name, '''', ''), '’', '') AS name FROM source_patients
        UNION ALL
        SELECT patient_id, replace(replace(unnest(given_names), '''', ''), '’', '') FROM source_patients
        UNION ALL
        SELECT patient_id, replace(replace(contact_name, '''', ''), '’', '') FROM source_patients
    )
),
numbers AS (
    SELECT patient_id, 'telephone' AS what, regexp_replace(value, '\D', '', 'g') AS digits
    FROM (
        SELECT patient_id, phone AS value FROM source_patients
        UNION ALL SELECT patient_id, fax FROM source_patients
        UNION ALL SELECT patient_id, contact_phone FROM source_patients
    )
    UNION ALL
    SELECT patient_id, 'record number', regexp_replace(patient_id, '\D', '', 'g') FROM source_patients
    WHERE regexp_matches(patient_id, '^\D{0,6}\d[\d -]*$')
    UNION ALL
    SELECT patient_id, 'identifier', regexp_replace(value, '\D', '', 'g')
    FROM (SELECT patient_id, unnest(identifiers) AS value FROM source_patients)
    WHERE regexp_matches(value, '^\D{0,6}\d[\d -]*$')
),
codes AS (
    SELECT patient_id, lower(regexp_replace(value, '[^A-Za-z0-9]', '', 'g')) AS code
    FROM (
        SELECT patient_id, patient_id AS value FROM source_patients
        UNION ALL SELECT patient_id, unnest(identifiers) FROM source_patients
        UNION ALL SELECT patient_id, encounter_id FROM source_encounters
    )
),
phrases AS (
    SELECT patient_id, 'e-mail' AS what, lower(email) AS phrase FROM source_patients
    UNION ALL
    SELECT patient_id, 'street', lower(strip_accents(unnest(address_lines))) FROM source_patients
    UNION ALL
    SELECT patient_id, 'birth date', unnest([
        strftime(date_of_birth, '%m/%d/%Y'), strftime(date_of_birth, '%-m/%-d/%Y'), strftime(date_of_birth, '%Y-%m-%d'),
        lower(strftime(date_of_birth, '%B %-d, %Y')), lower(strftime(date_of_birth, '%-d %B %Y'))
    ]) FROM source_patients
)
SELECT patient_id, 'word' AS shape, 'name of the record' AS what, lower(word) AS value FROM names WHERE length(word) > 2
UNION
SELECT patient_id, 'digits', what || ' of the record', digits FROM numbers WHERE length(digits) >= 7
UNION
SELECT patient_id, 'digits', what || ' of the record', right(digits, 10) FROM numbers
WHERE what = 'telephone' AND length(digits) > 10
UNION
SELECT patient_id, 'code', 'code of the record', code FROM codes
WHERE length(code) >= 6 AND regexp_matches(code, '[a-z]') AND regexp_matches(code, '\d')
UNION
SELECT patient_id, 'phrase', what || ' of the record', trim(phrase) FROM phrases WHERE length(trim(phrase)) >= 6

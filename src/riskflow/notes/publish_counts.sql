-- What the warehouse holds, to be compared with the artifacts before the commit.
SELECT
    (SELECT count(*) FROM notes.patients) AS patients,
    (SELECT count(*) FROM notes.encounters) AS encounters,
    (SELECT count(*) FROM notes.observations) AS observations,
    (SELECT count(*) FROM notes.audit) AS audit,
    (SELECT count(*) FROM notes.quarantine) AS quarantine

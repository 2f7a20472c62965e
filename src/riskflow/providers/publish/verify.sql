-- What must hold before the commit: every incoming row is there once, and for a whole run nothing else is.
SELECT
    (SELECT count(*) FROM incoming) AS incoming,
    (SELECT count(*) FROM provider_risk_scores AS t SEMI JOIN incoming AS i ON t.npi = i.npi) AS found,
    (SELECT count(*) FROM provider_risk_scores) AS in_table,
    (SELECT count(DISTINCT npi) FROM provider_risk_scores) AS distinct_npis,
    (SELECT count(*) FROM changed) AS changed;

-- What the table and the incoming rows must agree on, column by column that can be summed exactly.
SELECT
    count(*) AS rows,
    coalesce(sum(row_hash), 0) AS hashes,
    coalesce(sum(risk_score), 0) AS risk_scores,
    coalesce(sum(r_raw), 0) AS r_raws,
    coalesce(sum(rank), 0) AS ranks,
    coalesce(sum(payments_after_exclusion), 0) AS payments_after_exclusion,
    count(risk_label) AS labels,
    count(*) FILTER (WHERE risk_label = 'High') AS high

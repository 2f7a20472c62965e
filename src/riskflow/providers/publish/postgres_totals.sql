-- What the table and the incoming rows must agree on: exact sums of numbers, and a digest of the texts.
SELECT
    count(*) AS rows,
    coalesce(sum(row_hash), 0) AS hashes,
    coalesce(sum(risk_score), 0) AS risk_scores,
    coalesce(sum(r_raw), 0) AS r_raws,
    coalesce(sum(rank), 0) AS ranks,
    coalesce(sum(payments_after_exclusion), 0) AS payments_after_exclusion,
    count(risk_label) AS labels,
    count(*) FILTER (WHERE risk_label = 'High') AS high,
    coalesce(sum(CAST(translate(substr(md5(concat_ws(
        '|', npi, display_name, entity_type, risk_label, peer_taxonomy, peer_state, peer_basis, not_scored_reason,
        array_to_string(reasons, '|')
    )), 1, 15), 'abcdef', '123456') AS bigint)), 0) AS texts

INSERT INTO published_tables (table_name, scope, run_id, made_at, rows_published, digest, published_at)
VALUES (%(table)s, %(scope)s, %(run_id)s, %(made_at)s, %(rows)s, %(digest)s, now())
ON CONFLICT (table_name, scope) DO UPDATE SET
    run_id = EXCLUDED.run_id,
    made_at = EXCLUDED.made_at,
    rows_published = EXCLUDED.rows_published,
    digest = EXCLUDED.digest,
    published_at = EXCLUDED.published_at

INSERT INTO run_registry (
    run_id, track, method, rows_published, config, code, data,
    git_branch, git_commit, git_commit_date, git_clean, status, made_at, published_at
)
VALUES (
    %(run_id)s, %(track)s, %(method)s, %(rows)s, %(config)s, %(code)s, %(data)s,
    %(git_branch)s, %(git_commit)s, %(git_commit_date)s, %(git_clean)s, 'completed', %(made_at)s, now()
)
ON CONFLICT (run_id) DO UPDATE SET made_at = EXCLUDED.made_at, published_at = EXCLUDED.published_at

-- A run begins, or begins again: its first creation stays on record.
INSERT INTO main_runs.run_registry
VALUES ($run_id, $now, $group_id, $group_description, $run_description, $analysis_type, $calculator, $model_version,
        $benefit_year, $data_effective, $config, $inputs, $git_branch, $git_commit, $git_clean, $git_commit_date,
        'started', $trigger_source, $owner, $now, $now)
ON CONFLICT (run_id) DO UPDATE SET
    run_timestamp = excluded.run_timestamp,
    group_id = excluded.group_id,
    group_description = excluded.group_description,
    run_description = excluded.run_description,
    git_branch = excluded.git_branch,
    git_commit = excluded.git_commit,
    git_clean = excluded.git_clean,
    git_commit_date = excluded.git_commit_date,
    status = excluded.status,
    trigger_source = excluded.trigger_source,
    owner = excluded.owner,
    updated_at = excluded.updated_at

-- Registers a run; a run that is known keeps its row, but for the time at which it was last published.
DELETE FROM run_registry WHERE run_id = $run_id;
INSERT INTO run_registry
VALUES (
    $run_id, $track, $method, $rows, $config, $code, $data,
    $git_branch, $git_commit, $git_commit_date, $git_clean, 'completed', now()
);

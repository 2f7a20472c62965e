-- Rows whose code pays in the year but that do not count. Codes that pay nothing are most of any claim file:
-- they are summed up per code here, and stand row by row in rejected.parquet.
DELETE FROM main_intermediate.unpaid_codes WHERE run_id = $run_id;
DELETE FROM main_intermediate.rejected_evidence WHERE run_id = $run_id;
INSERT INTO main_intermediate.unpaid_codes BY NAME
SELECT $run_id AS run_id, kind, coalesce(code, '') AS code, count(*) AS row_count
FROM read_parquet($path)
WHERE reason IN ('code_without_hcc', 'code_without_rxc')
GROUP BY ALL
ORDER BY kind, code;
INSERT INTO main_intermediate.rejected_evidence BY NAME
SELECT $run_id AS run_id, *
FROM read_parquet($path)
WHERE reason NOT IN ('code_without_hcc', 'code_without_rxc');

-- A table may hold the rows of several runs side by side; each of them is published, and noted, on its own.
ALTER TABLE published_tables ADD COLUMN scope text NOT NULL DEFAULT '';
ALTER TABLE published_tables DROP CONSTRAINT published_tables_pkey;
ALTER TABLE published_tables ADD PRIMARY KEY (table_name, scope);

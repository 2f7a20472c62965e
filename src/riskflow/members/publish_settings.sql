-- Rows of a table have no order: row groups go to disk as they are made, not once more when the transaction ends.
SET preserve_insertion_order = false

"""The ownership graph: who owns whom, and who of them is excluded."""

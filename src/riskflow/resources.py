"""SQL and Cypher texts that lie beside the modules that use them.

`provenance` sees the file name in the code and hashes the file's content with the module, so an edited
query makes the stages that use it stale, and no other.
"""

from importlib.resources import files


def text(package: str, name: str) -> str:
    """Return the text of the file `name` in the package, for example `text(__package__, "features.sql")`."""
    return (files(package) / name).read_text(encoding="utf-8")

"""The columns of the real public extract, for tests that read it."""

from riskflow.config.providers import TableSource

LAYOUTS = {
    "registry": {"path": "providers.csv.gz", "columns": {"taxonomy": "specialty", "display_name": "name"}},
    "payments": {"path": "payments.csv.gz"},
    "exclusions": {
        "path": "exclusions.csv.gz",
        "columns": {"excl_type": "exclusion_type", "excl_date": "exclusion_month"},
        "date_format": "%m/%Y",
    },
    "ownership": {
        "path": "hospital_owners.csv.gz",
        "columns": {
            "owner_name": "owner",
            "owned_npi": "npi",
            "owned_name": "organization",
            "owned_ccn": "ccn",
            "role": "owner_role",
            "pct": "percentage",
            "since": "association_date",
        },
        "date_format": "%m/%d/%Y",
    },
}


def layout(table: str) -> TableSource:
    """Return how one table of the real extract is laid out; its path is relative to the extract's folder."""
    return TableSource.model_validate(LAYOUTS[table])

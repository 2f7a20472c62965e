"""The command line `riskflow`.

Every module of this package that has `def register(seats: Seats) -> None` adds its commands, so a new command
is a new file and no edit of this one. For example src/riskflow/cli/redact.py:

    from riskflow.cli.seats import Seats

    def register(seats: Seats) -> None:
        seats.app.command("redact")(redact)            # riskflow redact FILE
        seats.notes.command("evaluate")(evaluate)      # riskflow notes evaluate LABELLED.jsonl
        seats.explain.command("member")(explain)       # riskflow explain member ID
        seats.app.command("plan")(plan)                # riskflow plan

Two habits keep the start fast and the output safe. At the top of a module import typer, the standard library and
`riskflow.cli.console` only; a command imports its track inside its function. And raise RiskflowError for what
a person can mend: it is shown as one message, with exit code 1. Any other exception is a fault: its place is shown,
but its message, which may hold cell values, only with RISKFLOW_DEBUG=1.
Print through `riskflow.cli.console`; text for another program (redacted text, YAML, JSON) goes to standard
output by `typer.echo`, remarks about it to standard error.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

from riskflow.cli.seats import Seats


def _built() -> Seats:
    seats = Seats()
    for module in sorted(info.name for info in pkgutil.iter_modules(__path__)):
        register = getattr(import_module(f"{__name__}.{module}"), "register", None)
        if register is not None:
            register(seats)
    seats.close()
    return seats


app = _built().app

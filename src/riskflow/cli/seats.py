"""Where commands sit: the application and its groups, and how their errors are told."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any

import typer
from typer.core import TyperGroup

from riskflow.errors import RiskflowError


class Guarded(TyperGroup):
    """Tells a RiskflowError as one message and any other exception without its text; exit code 1 for both."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except RiskflowError as error:
            typer.echo(f"riskflow: {error}", err=True)
        except BrokenPipeError:  # the reader of our output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except (
            Exception
        ) as error:  # a fault: RuntimeErrors of typer for --help and exit codes are let through
            if type(error).__module__.startswith(("typer", "click")):
                raise
            _tell_fault(error)
        raise typer.Exit(1)


class Seats:
    """The application and its groups: config, explain, notes. A group without commands is left out."""

    def __init__(self) -> None:
        self.app = typer.Typer(
            name="riskflow",
            cls=Guarded,
            help="Look into riskflow's configuration and results. The work itself is done by snakemake (make run).",
            no_args_is_help=True,
            add_completion=False,
            pretty_exceptions_enable=False,
        )
        self.app.callback()(_root)
        self.config = typer.Typer(help="Check, show and write the configuration.", no_args_is_help=True)
        self.explain = typer.Typer(help="Where a score comes from, number by number.", no_args_is_help=True)
        self.notes = typer.Typer(help="Work with redacted notes.", no_args_is_help=True)

    def close(self) -> None:
        """Attach the groups that have commands."""
        for name in ("config", "explain", "notes"):
            group: typer.Typer = getattr(self, name)
            if group.registered_commands:
                self.app.add_typer(group, name=name)


def _root() -> None:
    """Make riskflow a group of commands even when there is only one."""


def _tell_fault(error: Exception) -> None:
    typer.echo(f"riskflow: {type(error).__name__} (message withheld: it may hold values)", err=True)
    for frame in traceback.extract_tb(error.__traceback__):
        if "riskflow" in frame.filename:
            typer.echo(f"  {frame.filename}:{frame.lineno} in {frame.name}", err=True)
    if os.environ.get("RISKFLOW_DEBUG") == "1":
        typer.echo(f"  {error}", err=True)
    else:
        typer.echo("  set RISKFLOW_DEBUG=1 to see the message, on data that may be shown", err=True)

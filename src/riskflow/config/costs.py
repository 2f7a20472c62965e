"""Prices, for the estimate that `riskflow plan` prints. No stage reads them, so a new price makes nothing stale."""

from pydantic import Field

from riskflow.config.base import Section


class CostsConfig(Section):
    """What a machine costs, for `riskflow plan`."""

    core_hour: float = Field(default=0.04, ge=0)
    """Price of one core for one hour."""
    gib_hour: float = Field(default=0.005, ge=0)
    """Price of one GiB of memory for one hour."""
    job_overhead_seconds: float = Field(default=0.0, ge=0)
    """Time that each job costs beside its work: about 7 on SLURM, 30 to 90 where a machine or pod is started."""
    currency: str = Field(default="USD", min_length=1)
    """Currency of the prices."""

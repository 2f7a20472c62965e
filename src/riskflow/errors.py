"""The one exception that is meant for a person."""


class RiskflowError(Exception):
    """Something a person can mend: what is wrong and where, and what to write instead.

    Neither text ever holds a cell value: they go to logs, and cells can be protected health information.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}\n  {hint}" if hint else message)
        self.message = message
        self.hint = hint

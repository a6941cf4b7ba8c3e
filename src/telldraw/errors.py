"""The errors a person is meant to read: one sentence that names the file, flag or value, and the remedy.

`cli.py` prints them without a traceback and ends with exit code 2. Anything else that escapes is a bug.
"""


class TelldrawError(Exception):
    """Something the user can put right; the message says what and how."""


class DataError(TelldrawError):
    """A data set, or the material it is prepared from, is missing or damaged."""


class WeightsError(TelldrawError):
    """A weights folder or a training state is missing, damaged, or made for something else."""


class InstructionError(TelldrawError):
    """An instruction cannot be drawn: it is empty, too long, or has no word the drawer knows."""


class TrainingError(TelldrawError):
    """Training cannot start or go on; the last good state is kept."""

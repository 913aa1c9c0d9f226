"""The one deployment that all tests of this folder look at: made by the first that asks, ended with the process."""

import atexit
import functools
import os
from pathlib import Path

from deployment import Deployment

FOLDER = Path(os.environ["ACCOUNT_FOLDER"]).resolve()
BUILD = FOLDER / "build"


@functools.cache
def deployment():
    """Return the deployment."""
    made = Deployment(FOLDER / "run", BUILD)
    atexit.register(made.stop)
    return made

"""`python3 -m tests` makes the environment, finds a Chromium, runs every check; arguments go to pytest.

Lint (ruff), types (mypy) and architecture (import-linter) are tests like the others, so that pytest's closing
line and exit status speak for all of them.
"""

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036 - said in words, where an import would only show a traceback
    sys.exit("The playground needs Python 3.11 or later; this is Python %d.%d." % sys.version_info[:2])  # noqa: UP031

from playground import bootstrap
from tests import chromium

# Every core at once, unless the caller says otherwise; with more than four, the servers and browsers take the memory.
arguments = sys.argv[1:] or ["-n", str(min(os.cpu_count() or 1, 4)), "--dist", "worksteal"]
python = bootstrap.environment_python(bootstrap.REQUIREMENTS, bootstrap.REQUIREMENTS_DEV)
chromium.ensure(python)
sys.exit(bootstrap.hand_over(python, "-m", "pytest", *arguments))

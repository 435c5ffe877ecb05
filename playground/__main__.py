"""`python3 -m playground` starts the app on a machine that has Python 3.11 or later and nothing else."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - said in words, where an import would only show a traceback
    sys.exit("The playground needs Python 3.11 or later; this is Python %d.%d." % sys.version_info[:2])  # noqa: UP031

from playground.bootstrap import main

sys.exit(main(sys.argv[1:]))

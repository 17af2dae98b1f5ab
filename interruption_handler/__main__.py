"""`python -m interruption_handler`: the handler from a checkout, against the cluster that the
environment names; in the cluster the pod runs start.py.
"""

import sys

from interruption_handler.start import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

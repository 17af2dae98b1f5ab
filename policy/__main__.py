"""`python -m policy PREVIEW.json --stack NAME` checks a preview; `pulumi preview --policy-pack
policy` has the CLI run this directory.
"""

import pathlib
import sys

if __package__:
    from policy.check import main

    raise SystemExit(main(sys.argv[1:]))

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from policy.pack import start

start()

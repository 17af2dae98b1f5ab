"""What the CLI's policy host starts: `pulumi preview --policy-pack policy`. A preview that is there
already is checked by `python -m ops.policy_check`.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from policy.pack import start

start()

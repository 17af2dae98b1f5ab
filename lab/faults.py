"""Faults of the cloud double, through its control API. Runs inside the lab (`python -m lab faults
...` brings it there).
"""

from __future__ import annotations

import http.client
import json
import sys

from lab.environment import CONTROL_URL, REGION_IP

CONTROL_PORT = 9090
METHODS = {"list": "GET", "add": "POST", "clear": "DELETE"}


def main() -> int:
    """``list``, ``add JSON`` or ``clear``; prints the double's answer. Exit status 1 when it
    refuses or does not answer.
    """
    action, *rest = sys.argv[1:]
    connection = http.client.HTTPConnection(REGION_IP, CONTROL_PORT, timeout=10)
    try:
        connection.request(
            METHODS[action], "/_lab/faults", *rest, headers={"Content-Type": "application/json"}
        )
        response = connection.getresponse()
        print(response.read().decode())
    except (OSError, http.client.HTTPException) as error:
        print(
            f"error: the cloud double does not answer on {CONTROL_URL}: {error}; see `python -m lab logs region`",
            file=sys.stderr,
        )
        return 1
    return 0 if response.status < 300 else 1


def parsed(text: str) -> str:
    """A fault as given on the command line, as one line of JSON. Raises ValueError for anything but
    a JSON object.
    """
    fault = json.loads(text)
    if not isinstance(fault, dict):
        raise ValueError("expected a JSON object")
    return json.dumps(fault)


if __name__ == "__main__":
    sys.exit(main())

"""Faults of the cloud double, through its control API. Runs inside the lab (`python -m lab faults
…` brings it there).
"""

from __future__ import annotations

import json
import sys

from lab.environment import CONTROL_URL


def main() -> int:
    """``list``, ``add JSON`` or ``clear``; prints the double's answer."""
    import httpx

    action, *rest = sys.argv[1:]
    url = f"{CONTROL_URL}/_lab/faults"
    try:
        with httpx.Client(trust_env=False, timeout=10) as client:
            if action == "add":
                fault = json.loads(rest[0]) if rest else None
                if not isinstance(fault, dict):
                    raise ValueError("expected a JSON object")
                response = client.post(url, json=fault)
            else:
                response = client.delete(url) if action == "clear" else client.get(url)
    except ValueError as error:
        print(
            f'error: faults add: {error}; for example \'{{"match": {{"service": "ess"}}, "times": 1, "status": 503}}\'',
            file=sys.stderr,
        )
        return 2
    except httpx.HTTPError as error:
        print(
            f"error: the region double does not answer on {url}: {error}; see `python -m lab logs region`",
            file=sys.stderr,
        )
        return 1
    print(response.text)
    return 0 if response.is_success else 1


if __name__ == "__main__":
    sys.exit(main())

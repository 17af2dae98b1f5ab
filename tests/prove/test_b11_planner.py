"""B11, the planner's own half: seven days and fifty candidates within a minute of one core. The
other half needs a recorded run.
"""

from __future__ import annotations

import time

from lab.testing.figures import measure
from ops.plan import prices, synthetic
from ops.plan.inputs import default_grid
from ops.plan.model_parameters import ModelParameters
from ops.plan.simulate import Run


def test_a_week_of_trace_and_fifty_candidates_take_a_minute_at_most() -> None:
    table, _ = prices.load()
    parameters = ModelParameters(
        prices=table.on_demand, spot_fraction=table.spot_fraction, vcpus=table.vcpus
    )
    trace, disturbances = synthetic.make("S3", 200.0, 7 * 86400.0)
    candidates, _ = default_grid({}, trace, parameters)
    begun = time.process_time()
    made = Run(
        candidates[:50], trace, parameters, scenario="moderate", disturbances=disturbances
    ).go()
    took = time.process_time() - begun
    measure("planner: seconds of one core for 7 days x 50 candidates", took)
    assert made.requests.min() > 3e7 and took <= 60

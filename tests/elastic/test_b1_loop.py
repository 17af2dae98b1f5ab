"""Load moves replicas, replicas move instances; losing every preemptible node with ACK's notice
costs nobody a request.
"""

from __future__ import annotations

from lab.testing.figures import figure, measure
from ops.report import figures
from tests.elastic.live import CLOCK, FULL, Live


def test_the_loop_closes_and_the_loss_of_all_preemptible_nodes_goes_unnoticed(peak: Live) -> None:
    steady = peak.now - 120
    low, high = figures.share(peak.run().between(steady).samples, 20) or (0.0, 1.0)

    told = peak.now
    lost = peak.reclaim(notice=300)
    peak.pause(450)
    whole = peak.run()
    recovered = whole.between(told, told + 450)
    after, short = figures.requests(recovered), figures.shortfall(recovered, FULL)
    most = figures.peak(whole.between(0, told))

    figure(
        f"clock x{CLOCK}: {whole.samples[0]['pods']['ready']} to {most['pods']} pods on {most['nodes']} nodes"
    )
    measure("lowest on-demand share", low, worst=min)
    measure("highest on-demand share", high)
    measure(
        f"failed requests, all of {lost} preemptible nodes lost with 300 s notice", after["failed"]
    )
    measure("requests per second short after the loss", short)
    assert whole.samples[0]["pods"]["desired"] == 1 and most["nodes"] >= 20
    assert low >= 0.30 and high <= 0.34
    assert lost >= 12 and after["count"] > 0 and short <= 0
    assert after["failed"] == 0, figures.failure_reasons(recovered)

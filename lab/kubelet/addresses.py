"""Pod addresses of one node, out of its podCIDR."""

from __future__ import annotations

import ipaddress


class Addresses:
    """Hands out addresses round robin, so that a freed one rests a while (the first host is the
    node's bridge).
    """

    def __init__(self, cidr: str) -> None:
        network = ipaddress.ip_network(cidr)
        self.hosts = [str(host) for host in network.hosts()][1:]
        self.taken: set[str] = set()
        self.next = 0

    def take(self) -> str:
        """A free address; RuntimeError if all are taken."""
        for _ in self.hosts:
            address = self.hosts[self.next % len(self.hosts)]
            self.next += 1
            if address not in self.taken:
                self.taken.add(address)
                return address
        raise RuntimeError("no IP addresses available in range set")

    def free(self, address: str) -> None:
        """Gives an address back."""
        self.taken.discard(address)

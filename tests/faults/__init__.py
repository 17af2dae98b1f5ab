"""Every call of the graph under every fault: what is run, how it is judged, and the table of it
(docs/faults.md).
"""

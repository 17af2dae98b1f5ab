"""`make drill`: takes nodes or the metric away under load and reports what clients noticed."""

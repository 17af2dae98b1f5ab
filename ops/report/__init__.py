"""`make report`: a recorded run as figures, as a self-contained HTML page, and as JSON."""

"""`make report`: a recorded run as figures, as a page that works offline, as JSON."""

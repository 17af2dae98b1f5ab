"""`make prove`: the project's promises by number (items), how their checks run (runner), and the
measured figures beside published ones (table).
"""

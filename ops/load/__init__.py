"""`make load`: requests at a rate that follows a profile, against any stack."""

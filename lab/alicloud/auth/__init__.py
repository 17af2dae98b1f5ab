"""Who calls and whether they may: signatures of every client family, policies, trust."""

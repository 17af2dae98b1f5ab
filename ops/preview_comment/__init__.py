"""A preview as one comment on a pull request: what would be lost first, what it costs, what
policies say, then every difference.

Standard library only, so that the job that holds a token to write comments has nothing to install.
"""

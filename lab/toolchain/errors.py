"""The one error type of the tool chain; its text is what the user reads."""


class ToolchainError(Exception):
    """A tool can't be provided. The text says which, why, what it means and what to do."""

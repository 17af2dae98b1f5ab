"""The machinery of the settings: declaration, loading, messages, documentation."""

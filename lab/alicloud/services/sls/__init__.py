"""The log service: projects, logstores, writing and querying logs."""

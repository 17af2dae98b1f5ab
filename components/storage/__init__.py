"""Components of the model: bucket, reader role, volume."""

"""The kubernetes stand-in over gRPC against a real API server, against recorded answers, and under the real CLI."""

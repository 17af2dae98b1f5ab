"""A double of the cloud of its own for these tests."""

from lab.testing.cloud_fixtures import cloud_names, lab, no_faults_left, without_detector

__all__ = ["cloud_names", "lab", "no_faults_left", "without_detector"]

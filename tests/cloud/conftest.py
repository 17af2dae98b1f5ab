"""A double of the cloud for what the commands ask of the cloud by Alibaba's own clients."""

from lab.testing.cloud_fixtures import cloud_names, lab, no_faults_left, without_detector

__all__ = ["cloud_names", "lab", "no_faults_left", "without_detector"]

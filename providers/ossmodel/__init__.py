"""`ossmodel`: a Pulumi provider with one resource, a TensorFlow SavedModel version directory kept
in an OSS bucket.
"""

NAME = "ossmodel"
VERSION = "0.1.0"
MODEL_TYPE = "ossmodel:index:Model"

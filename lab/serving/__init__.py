"""The process that stands for the TensorFlow Serving image: its flags, its REST and gRPC API, its
log lines; TensorFlow runs the model.
"""

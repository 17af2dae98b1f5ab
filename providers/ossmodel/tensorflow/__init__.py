"""What TensorFlow of a version loads: reads SavedModels, checks them against an image's TensorFlow,
and rewrites them for an older one, without TensorFlow itself.
"""

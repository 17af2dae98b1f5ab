"""The model the tutorial serves: a small real SavedModel, how it was made, and how text becomes its
input.
"""

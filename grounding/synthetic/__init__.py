"""Screens with boxes, names and instructions, made from a seed: the training data of the pointer."""

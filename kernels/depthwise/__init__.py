"""Depthwise convolution with a large kernel."""

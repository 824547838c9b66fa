"""Attention modules and blocks that the families share."""

"""Neighborhood attention: every query attends to a window around it."""

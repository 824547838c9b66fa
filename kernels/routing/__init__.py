"""Routed attention: every block of queries attends to the blocks of keys that routing picked for it."""

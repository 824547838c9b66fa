"""Gradio pages: layout, and callbacks of a few lines around library calls."""

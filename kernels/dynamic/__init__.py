"""Dynamic neighborhoods: kernels that the picture itself makes, applied to neighborhoods."""

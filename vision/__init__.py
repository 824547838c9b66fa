"""What every room above sees the world with: pictures, geometry, drawing."""

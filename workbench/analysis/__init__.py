"""Numbers about masks and pictures; NumPy in, small records out."""

"""What the notebooks on strategies and on reconstruction call, so that their cells stay short."""

"""The page's own components: small scripts that draw, and the Python that feeds them."""

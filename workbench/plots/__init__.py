"""Numbers in, pictures and figures out; no torch and no user-interface toolkit."""

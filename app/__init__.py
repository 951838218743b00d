"""The browser dashboard: reads controls, asks `workbench.scenes` for pictures, shows them."""

"""The command line's commands, one file a group; `workbench.cli` hangs them up."""

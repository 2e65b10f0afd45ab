"""Everything that one GPU can tell, in one command: `make gpu`."""

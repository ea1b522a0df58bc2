"""Records and contracts: numpy and the standard library only, no input or output."""

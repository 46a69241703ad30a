"""Sources: archives read in place, their catalogues, and the checks of their media."""

"""`python -m genrm` is the `genrm` command."""

from genrm.cli import main

main()

"""`python -m psyllm.cli` is the same as `psyllm`."""

from psyllm.cli.main import main

main()

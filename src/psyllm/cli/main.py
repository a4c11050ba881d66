"""The command line `psyllm`: being built."""


def main() -> None:
    """Run the command line."""

"""Files of others become records: `1_collected`."""

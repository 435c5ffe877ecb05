"""Everything that reads what a stranger has written, thrown at with anything."""

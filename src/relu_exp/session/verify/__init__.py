"""`relu-exp verify`: trains finished runs again and compares the results."""

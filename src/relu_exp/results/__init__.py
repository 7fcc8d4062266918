"""Result folders: written whole or not at all, read with care, traced to what made them."""

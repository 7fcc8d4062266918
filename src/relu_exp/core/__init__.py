"""The words that everything shares and the registries that name what there is."""

"""Result folders as tables: checked, labelled and summarized."""

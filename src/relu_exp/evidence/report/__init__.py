"""Reports of experiments and verdicts, as HTML, Markdown and tables."""

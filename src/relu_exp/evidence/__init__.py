"""The pandas wing: from Parquet to statistics, figures, verdicts and reports."""

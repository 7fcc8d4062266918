"""Everything in pandas: from Parquet to statistics, figures, verdicts and reports."""

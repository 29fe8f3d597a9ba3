"""The tabs with profiles across the slit."""

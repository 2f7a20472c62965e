"""The CMS tables of the HHS-HCC models: normalised, one folder per benefit year and vintage (`data/`)."""

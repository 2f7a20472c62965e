"""Members track: HHS-HCC scores, runs compared and decomposed, transfers."""

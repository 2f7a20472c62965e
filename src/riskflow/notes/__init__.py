"""Clinical records in; redacted notes and de-identified tables out, fail closed."""

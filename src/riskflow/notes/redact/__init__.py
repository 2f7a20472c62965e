"""Redaction of free text: detectors return spans, one merge decides, one replacement writes the text."""

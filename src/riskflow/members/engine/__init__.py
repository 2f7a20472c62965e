"""The HHS-HCC scoring engine: whole populations at once, the algorithm read from the CMS tables.

enrolment   spans → enrollees (a member in one issuer and market): AGE_LAST, ENROLDURATION
evidence    diagnoses and drugs → 0/1 marks per enrollee, and the rows that do not count, with reasons
program     the ordered statements of a model, run on a block of enrollees
score       marks → variables → coefficients → one score per member and plan span
"""

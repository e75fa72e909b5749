"""What happens between a coach and a client, from transcript to follow-up.

Owns: roster, import of transcripts, consent, analysis and its citations, the coach's corrections and
edits, next steps, review, brief, follow-up messages, goals and feedback. Invariants: every call checks
ownership; nothing is read without consent; corrections lie beside the original; nothing goes to a
client unapproved. To add something to the workspace: a field of `review_model.Review`.
"""

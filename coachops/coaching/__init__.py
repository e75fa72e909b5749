"""What happens between a coach and a client: transcript, analysis, follow-up, goals, answers.

Owns import, corrections, consent, analyses with checked citations, messages and their states, goals
and feedback. Invariants: every call checks that the actor may see or change the client; nothing is
lost silently; nothing is sent without approval, nor twice; what the coach wrote is never overwritten.
To add a transcript format: a reader in `transcripts/`; a follow-up sentence: `messages/templates/`.
"""

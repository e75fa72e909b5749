"""What happens between a coach and a client, from transcript to follow-up."""

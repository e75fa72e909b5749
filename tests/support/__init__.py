"""What several tests share: servers made by others, started on free ports."""

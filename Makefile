# Every target works on a fresh machine with Python >= 3.11 (venv), make and the package registries.

"""Processes that write parts of an export: `pool` starts and feeds them, `child` is what they run.

Invariants: a process that dies fails the whole export, with a code; none outlives the process that
started it; they are new processes, not forks, so no lock or thread is inherited.
"""

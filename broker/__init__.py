"""Who decides: seats the jobs, counts the votes, gives the verdicts.

Reading order: events (what can happen, what can be asked), job (one job's life), jobs (all of
them), roster (who can vote), seating (who gets which seat), fleet (the workers we start),
admission (what is refused), core (all of it together), service (the shell around the core).
`voting` is a package of its own: answers, tally, verdict.
"""

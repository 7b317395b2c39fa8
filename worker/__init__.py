"""Who answers: a process that holds one loaded model and fills slots with ballots' seats.

Reading order: engine (the contract), core (what to do), service (doing it), engines/.
"""

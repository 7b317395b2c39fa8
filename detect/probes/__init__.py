"""What runs inside a probe's own process, and only there: drivers and engines are loaded here.

`python -m detect.probe NAME` runs one and prints one JSON object. A probe may crash, hang or print
nonsense; its process takes the damage, and detect.probing turns that into a note.
"""

"""`swarmctl config`: each setting, its value, and where it came from."""

import sys

from swarmctl import options as o


def config(json: o.Json = False) -> None:
    """Show each setting, and where its value came from."""
    import os

    from detect import home, settings
    from detect.keys import KEYS, shown
    from swarmctl import asjson, render
    from swarmctl.out import data, ink, talk, wide

    here = home.find()
    chosen = settings.load(here, os.environ, {})
    rows = [(name, getattr(chosen, key.field), chosen.sources[name]) for name, key in KEYS.items()]
    if json:
        listed = [{"name": name, "value": value, "from": source} for name, value, source in rows]
        folders = {
            "state": str(here.state),
            "config": str(here.config),
            "runtime": str(here.runtime),
        }
        data(asjson.line({"home": folders, "settings": listed, "notes": chosen.notes}))
        return
    told = [(name, shown(KEYS[name], value), source) for name, value, source in rows]
    talk(f"file: {here.config / 'config.toml'}\nhome: {here.state}")
    data(render.settings(told, wide(), ink(sys.stdout)))
    for note in chosen.notes:
        talk(f"note: {note}")

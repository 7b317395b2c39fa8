"""Who this node is: its CURVE key pair on disk. The key is the identity; names are labels."""

import os
from pathlib import Path

import zmq

from protocol.ids import NodeId


class BadKey(Exception):
    """The key file is not one of ours. It is never replaced: peers know this node by it."""


def node_id(path: Path) -> NodeId:
    """Read the node's public key, making the pair at the first start.

    The file holds the public and the secret key, a line each, in Z85 (ZeroMQ RFC 32); only its
    owner may read it. Raises BadKey, OSError.
    """
    if not path.exists():
        _create(path)
    lines = path.read_text().split()
    if len(lines) != 2 or any(len(line) != 40 for line in lines):
        raise BadKey(f"{path} is not a key file of ours")
    public, secret = lines
    if zmq.curve_public(secret.encode()) != public.encode():
        raise BadKey(f"the two keys in {path} do not belong together")
    return NodeId(public)


def _create(path: Path) -> None:
    public, secret = zmq.curve_keypair()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(public + b"\n" + secret + b"\n")

"""The names of things that cross a socket. Distinct types, so that ids cannot be swapped."""

from typing import NewType

JobId = NewType(
    "JobId", str
)  # a UUIDv7 in text, made by the client, so that SUBMIT can be repeated
NodeId = NewType("NodeId", str)  # the node's public key in Z85, 40 characters (ZeroMQ RFC 32)
WorkerId = NewType("WorkerId", str)  # unique within a node: "w1", or "w" and the process id
Seat = NewType("Seat", int)  # 0, 1, 2 … within a job

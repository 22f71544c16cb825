#!/usr/bin/env python3
"""Sends the lines of standard input to unixgram:PATH, one of any number of senders. Needs nothing but Python.

    interproc receive unixgram:./lines
    seq 5 | python3 send_gram.py ./lines

docs/protocol.md, "Packets": a packet holds one message behind a 0, or several behind a 4, each with its length. A message that does
not fit into one is sent in pieces.
"""
import secrets
import socket
import struct
import sys
import time

WHOLE, FIRST, MORE, END, SEVERAL = range(5)
PACKET = 16384
PIECE_HEADER = 24


def connect(path):
    """A socket that is connected to the receiver, once that is there."""
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    address = b"\0" + path[1:].encode() if path.startswith("@") else path
    while True:
        try:
            sender.connect(address)
            return sender
        except (FileNotFoundError, ConnectionRefusedError):
            time.sleep(0.01)


def packets(messages, sender):
    """The messages in packets, as many as fit into each, and the end mark."""
    gathered = bytearray([SEVERAL])
    for message in messages:
        framed = struct.pack("<I", len(message)) + message
        if len(gathered) > 1 and len(gathered) + len(framed) > PACKET:
            yield gathered
            gathered = bytearray([SEVERAL])
        if 1 + len(framed) <= PACKET:
            gathered += framed
            continue
        room = PACKET - PIECE_HEADER
        for number, at in enumerate(range(0, len(message), room)):
            kind, value = (FIRST, len(message)) if number == 0 else (MORE, at)
            yield struct.pack("<IIQQ", kind, number, sender, value) + message[at : at + room]
    if len(gathered) > 1:
        yield gathered
    yield struct.pack("<IIQ", END, 0, sender)


if __name__ == "__main__":
    receiver = connect(sys.argv[1])
    for packet in packets(sys.stdin.buffer, secrets.randbits(64)):
        receiver.send(packet)  # blocks while the receiver's queue is full

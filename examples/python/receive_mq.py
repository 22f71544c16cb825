#!/usr/bin/env python3
"""Receives the messages of mq:/NAME and writes them to standard output. Needs nothing but Python.

    seq 5 | interproc send --lines mq:/numbers
    python3 receive_mq.py /numbers

docs/protocol.md, "Pieces": the first byte of what stands in the queue tells its kind.
"""
import ctypes
import os
import struct
import sys

WHOLE, FIRST, MORE, END = range(4)
LONGEST = 64 * 1024 * 1024

libc = ctypes.CDLL(None, use_errno=True)


class Attributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_long) for name in ("flags", "max_messages", "message_size", "messages")] + [
        ("unused", ctypes.c_long * 4)
    ]


def check(result, what):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result


def open_queue(name):
    """The queue, and whether this call made it: whoever comes first does."""
    while True:
        try:
            return check(libc.mq_open(name.encode(), os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0o600, None), name), True
        except FileExistsError:
            pass
        try:
            return check(libc.mq_open(name.encode(), os.O_RDONLY), name), False
        except FileNotFoundError:
            pass


def pieces(queue, name):
    """What stands in the queue, as it comes."""
    attributes = Attributes()
    check(libc.mq_getattr(queue, ctypes.byref(attributes)), name)
    buffer = ctypes.create_string_buffer(attributes.message_size)
    libc.mq_receive.restype = ctypes.c_ssize_t
    while True:
        length = check(libc.mq_receive(queue, buffer, ctypes.c_size_t(len(buffer)), None), name)
        yield buffer.raw[:length]


def messages(name):
    """Whole messages, until a sender says that it has ended."""
    queue, made = open_queue(name)
    unfinished = {}  # by sender: the message so far, its length, the number of the next piece
    for piece in pieces(queue, name):
        kind = piece[0] if piece else None
        if kind == WHOLE:
            yield piece[1:]
        elif kind == END:
            if made or piece[1] & 1:  # made for as long as it is needed, by us or by the sender
                libc.mq_unlink(name.encode())
            return
        elif kind in (FIRST, MORE):
            number, sender, value = struct.unpack_from("<IQQ", piece, 4)
            if kind == FIRST:
                unfinished[sender] = (bytearray(), value, 0)
            message, length, expected = unfinished.get(sender, (None, 0, 0))
            at = 0 if kind == FIRST else value
            if message is None or length > LONGEST or number != expected or at != len(message):
                unfinished.pop(sender, None)  # a piece before it went elsewhere
                continue
            message += piece[24:]
            unfinished[sender] = (message, length, expected + 1)
            if len(message) >= length:
                del unfinished[sender]
                yield bytes(message)
        else:
            raise ValueError("this is no message of a channel")


if __name__ == "__main__":
    for message in messages(sys.argv[1]):
        sys.stdout.buffer.write(message)

#!/usr/bin/env python3
"""Receives the messages of mq:/NAME and writes them to standard output. Needs nothing but Python.

    seq 5 | interproc send --lines mq:/numbers
    python3 receive_mq.py /numbers

docs/protocol.md, "Pieces": the first byte of what stands in the queue tells its kind. A lock says
that the queue is in use, and who removes it sees by that whether somebody else uses it.
"""
import ctypes
import fcntl
import os
import struct
import sys
import time

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
    """The queue, in use, and whether it is temporary. Whoever comes first makes it; the sticky bit says for how long."""
    while True:
        queue = check(libc.mq_open(name.encode(), os.O_RDONLY | os.O_CREAT, 0o1600, None), name)
        fcntl.flock(queue, fcntl.LOCK_SH)
        status = os.fstat(queue)
        if status.st_nlink > 0:
            return queue, status.st_mode & 0o1000 != 0
        os.close(queue)  # somebody has removed it meanwhile


def remove_unused(queue, name):
    """Removes the queue, unless another end uses it or messages are in it."""
    attributes = Attributes()
    for _ in range(100):  # the sender lets go a moment after its end mark
        try:
            fcntl.flock(queue, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.01)
            continue
        check(libc.mq_getattr(queue, ctypes.byref(attributes)), name)
        if os.fstat(queue).st_nlink > 0 and attributes.messages == 0:
            check(libc.mq_unlink(name.encode()), name)
        break


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
    queue, temporary = open_queue(name)
    unfinished = {}  # by sender: the message so far, its length, the number of the next piece
    for piece in pieces(queue, name):
        kind = piece[0] if piece else None
        if kind == WHOLE:
            yield piece[1:]
        elif kind == END:
            if temporary or piece[1] & 1:
                remove_unused(queue, name)
            os.close(queue)
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

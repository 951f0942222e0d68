"""Record and replay: a real service's answers in a file, without secrets, and a server that answers from it.

While it records, the server passes every request on to an upstream and writes it with its answer. While it replays, it
answers from the file and computes nothing. The file is JSON lines: ``interactions`` describes it, ``secrets`` says what
is taken out before anything is written, ``matching`` says which recording answers a request.
"""

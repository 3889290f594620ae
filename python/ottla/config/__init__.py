"""Configuration: every key of Kafka 4.4, typed; what a broker was told, in layers; what follows for nodes and topics.

- `registry` and `tables`: the keys as data. `definition`, `checks`, `parse`: their types, checks and text.
- `load`: files and command line to a `BrokerConfig` (values) and a `Node` (identity, roles, listeners).
- `dynamic`: changes while the broker runs. `topic`: topic configs and `TopicSettings`. `describe`: DescribeConfigs.

Import from the modules; this one imports nothing.
"""

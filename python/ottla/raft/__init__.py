"""The metadata quorum: Kafka's raft (KRaft, KIP-595), its log and its files."""

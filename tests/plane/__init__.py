"""The broker over its wire: raw requests and real clients against one that runs in this process.

With ``OTTLA_TEST_BOOTSTRAP=host:port`` the raw tests ask another broker instead, such as Apache Kafka: what passes on
both is what Kafka does.
"""

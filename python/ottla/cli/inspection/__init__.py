"""What `ottla inspect` finds in the files of a data directory: decoded, with what is wrong named by file and byte.

Prior art: Kafka's `DumpLogSegments`. Ours reads every kind of file there is in a directory, and goes on after an error.
`report` is the shape of every finding, `directory` knows files by their names, the others read one kind each.
"""

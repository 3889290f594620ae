"""The classic group protocol: JoinGroup, SyncGroup, Heartbeat, LeaveGroup. Members choose their assignment themselves,
through a leader; the coordinator says who is in, in which generation."""

"""What `ottla groups` does: asks coordinators and leaders (`coordinator`, `positions`, `members`), and thinks (`lag`,
`reset`)."""

"""What `ottla groups` does: it asks coordinators and leaders (`coordinator`, `positions`, `members`), thinks (`lag`,
`reset`), and has groups go on elsewhere (`moving`)."""

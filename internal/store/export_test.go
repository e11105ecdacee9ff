package store

// FirstID is firstID, by which tests make deliveries of the past.
var FirstID = firstID

// Gathered returns how many parts wait for the next transaction that they will share.
func (s *Store) Gathered() int { return s.arrivals.Waiting() }

// ClosingTogether returns how many groups wait for the next transaction that closes some.
func (s *Store) ClosingTogether() int { return s.closings.Waiting() }

package store

import "context"

// Migrate brings the database's schema up to what this program needs and returns the names of the migrations that it
// applied. Any number of processes may call it at once. An empty database will do.
func Migrate(ctx context.Context, url string) (applied []string, err error) { panic("soon") }

// CheckSchema says what to do when the database's schema is not the one that this program was built for.
func (s *Store) CheckSchema(ctx context.Context) error { panic("soon") }

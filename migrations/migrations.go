// Package migrations holds the database schema as goose migrations, embedded so that every binary carries the
// schema that it was built for.
package migrations

import "embed"

// FS holds the migration files, `NNNNN_name.sql`, at its root.
//
//go:embed *.sql
var FS embed.FS

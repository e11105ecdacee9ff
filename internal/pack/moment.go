package pack

import (
	"time"

	"go.yaml.in/yaml/v3"
)

// moment returns a point in time, in UTC; nil if the key is absent. A date is its beginning in UTC.
func (s section) moment(key string) *time.Time {
	n, ok := s.value(key)
	if !ok {
		return nil
	}
	if n.Kind == yaml.ScalarNode {
		for _, layout := range []string{time.RFC3339, time.DateOnly} {
			if t, err := time.Parse(layout, n.Value); err == nil {
				t = t.UTC().Truncate(time.Microsecond) // which is all that PostgreSQL keeps
				return &t
			}
		}
	}
	s.report(key, "got %s: write a time such as 2026-01-31T08:00:00Z, or a date such as 2026-01-31", describe(n))
	return nil
}

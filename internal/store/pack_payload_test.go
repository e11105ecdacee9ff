package store_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/schema"
)

// FuzzAcceptedPayloadsAreStorable holds schema.CheckPayload to PostgreSQL.
func FuzzAcceptedPayloadsAreStorable(f *testing.F) {
	b := setup(f)
	for _, seed := range []string{
		`{"a": [1, -2.5e+3, true, null, "\u00e9\ud83d\ude00é"]}`, `1e1000`, `-1e-1000`, strings.Repeat("9", schema.MaxDigits) + "e1000",
		"0." + strings.Repeat("7", schema.MaxDigits-1) + "e-1000", strings.Repeat("[", schema.MaxDepth) + strings.Repeat("]", schema.MaxDepth),
		strings.Repeat(`{"a":`, schema.MaxDepth) + "1" + strings.Repeat("}", schema.MaxDepth), `{"a":1,"a":2,"":""}`, `"\ufffe\uffff\u0001"`,
		`"` + strings.Repeat("é", schema.MaxPayload/2-1) + `"`, `-0`, `-0.0e0`, "\"\x7f\u2028\"", `"\udbff\udfff"`,
	} {
		f.Add([]byte(seed))
		require.NoError(f, schema.CheckPayload([]byte(seed)), seed[:min(len(seed), 80)])
	}
	for _, refused := range refusedPayloads() {
		f.Add([]byte(refused))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if schema.CheckPayload(raw) != nil {
			return
		}
		var length int
		err := b.db.QueryRow(b.ctx, `select length($1::text::jsonb::text)`, string(raw)).Scan(&length)
		require.NoError(t, err)
	})
}

// TestRefusedPayloadsNeverReachTheDatabase is the other side: what PostgreSQL refuses, CheckPayload refuses.
func TestRefusedPayloadsNeverReachTheDatabase(t *testing.T) {
	t.Parallel()
	for name, payload := range refusedPayloads() {
		require.Error(t, schema.CheckPayload([]byte(payload)), name)
	}
}

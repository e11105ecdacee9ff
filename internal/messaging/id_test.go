package messaging

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// TestMessageIDsNeverChange pins the IDs: consumers keep them to recognize repetitions.
func TestMessageIDsNeverChange(t *testing.T) {
	t.Parallel()
	created := time.Date(2026, 3, 14, 15, 9, 26, 535897000, time.UTC)
	require.Equal(t, "8e3391eb-283c-523c-8e07-c60be3c15b8f", EventMessageID(42, created).String())
	require.Equal(t, "31a1111d-b6da-580a-9eb6-cfef6fd955df", EnforcementMessageID(42, created).String())
	require.Equal(t, uuid.Version(5), EventMessageID(42, created).Version())
}

func TestMessageIDsTellRowsApart(t *testing.T) {
	t.Parallel()
	created := time.Date(2026, 3, 14, 15, 0, 0, 0, time.UTC)
	seen := map[uuid.UUID]bool{}
	for _, id := range []uuid.UUID{
		EventMessageID(1, created), EventMessageID(11, created),
		// The same id in a database that was built anew.
		EventMessageID(1, created.Add(time.Microsecond)),
		EnforcementMessageID(1, created),
	} {
		require.False(t, seen[id])
		seen[id] = true
	}
	elsewhere := created.In(time.FixedZone("elsewhere", 3600))
	require.Equal(t, EventMessageID(1, created), EventMessageID(1, elsewhere), "the zone of created does not matter")
}

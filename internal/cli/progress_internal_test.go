package cli

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProgress(t *testing.T) {
	t.Parallel()
	require.Equal(t, "[                    ]   0%", bar(0, 7))
	require.Equal(t, "[==========          ]  50%", bar(5, 10))
	require.Equal(t, "[====================] 100%", bar(12, 10))
	require.Equal(t, "[====================] 100%", bar(0, 0))

	var out strings.Builder
	p := &progress{w: &out}
	p.show(1, 2, "%d of %d", 1, 2)
	p.show(2, 2, "too soon")
	p.clear()
	p.clear()
	line := "[==========          ]  50% 1 of 2"
	require.Equal(t, "\r"+line+"\r"+strings.Repeat(" ", len(line))+"\r", out.String())

	var none strings.Builder
	silent := newProgress(&none)
	silent.show(1, 2, "a file is no terminal")
	silent.clear()
	require.Empty(t, none.String())
}

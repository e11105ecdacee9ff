package jail_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkStart is a program that does nothing, from its start until nothing of it is left.
func BenchmarkStart(b *testing.B) {
	for _, mode := range modes {
		b.Run(string(mode), func(b *testing.B) {
			jail := setup(b, mode)
			cmd, _ := jail.command(b, ":")
			for b.Loop() {
				p, err := jail.Start(b.Context(), cmd)
				require.NoError(b, err)
				<-p.Exited()
				require.True(b, p.Kill().Gone)
			}
		})
	}
}

// BenchmarkKill is the end of a program that waits.
func BenchmarkKill(b *testing.B) {
	for _, mode := range modes {
		b.Run(string(mode), func(b *testing.B) {
			jail := setup(b, mode)
			cmd, p := jail.command(b, "echo; exec sleep 300")
			for b.Loop() {
				b.StopTimer()
				started, err := jail.Start(b.Context(), cmd)
				require.NoError(b, err)
				p.line(b)
				b.StartTimer()
				require.True(b, started.Kill().Gone)
			}
		})
	}
}

// BenchmarkLook is what is done after a poll of a process that stays up.
func BenchmarkLook(b *testing.B) {
	for _, mode := range modes {
		jail := setup(b, mode)
		p := jail.start(b, "echo; exec sleep 300")
		p.line(b)
		b.Run(string(mode), func(b *testing.B) {
			for b.Loop() {
				p.Look()
			}
		})
	}
}

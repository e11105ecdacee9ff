package jail_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/runner/jail"
)

func TestLimitsThatAreBreached(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, script string
		limits       jail.Limits
		breach, says string
	}{
		{name: "memory", script: "dd if=/dev/zero bs=200M count=1 | sleep 300",
			limits: jail.Limits{Memory: 100 << 20}, breach: jail.LimitMemory, says: "MiB of memory, more than 100 MiB (`limits.memory`)"},
		{name: "memory of all together", script: "for i in 1 2 3; do dd if=/dev/zero bs=60M count=1 | sleep 300 & done; wait",
			limits: jail.Limits{Memory: 100 << 20}, breach: jail.LimitMemory, says: "more than 100 MiB"},
		{name: "memory of a daemon", script: "(setsid sh -c 'dd if=/dev/zero bs=200M count=1 | sleep 300' &); sleep 300",
			limits: jail.Limits{Memory: 100 << 20}, breach: jail.LimitMemory, says: "more than 100 MiB"},
		{name: "memory in files", script: "exec python3 -c 'import os, time; fds = [os.memfd_create(\"x\") for i in range(4)]; [os.ftruncate(fd, 60 << 20) or os.posix_fallocate(fd, 0, 60 << 20) for fd in fds]; time.sleep(300)'",
			limits: jail.Limits{Memory: 100 << 20}, breach: jail.LimitMemory, says: "more than 100 MiB"},
		{name: "memory in a shared folder", script: "for i in 1 2; do head -c 60M /dev/zero >/dev/shm/$1; exec 5</dev/shm/$1 6<&5 4</dev/shm/$1; rm /dev/shm/$1; sleep 300 & done; exec 7>/dev/shm/$1; rm /dev/shm/$1; head -c 60M /dev/zero >&7; sleep 300",
			limits: jail.Limits{Memory: 100 << 20}, breach: jail.LimitMemory, says: "more than 100 MiB"},
		{name: "cpu", script: "while :; do :; done",
			limits: jail.Limits{CPU: 200 * time.Millisecond}, breach: jail.LimitCPU, says: "of processor time, more than 200ms (`limits.cpu`)"},
		{name: "cpu of children", script: "while :; do /bin/true; done",
			limits: jail.Limits{CPU: 200 * time.Millisecond}, breach: jail.LimitCPU, says: "more than 200ms"},
		{name: "cpu of a daemon", script: "(setsid sh -c 'while :; do :; done' &); sleep 300",
			limits: jail.Limits{CPU: 200 * time.Millisecond}, breach: jail.LimitCPU, says: "more than 200ms"},
		{name: "processes", script: "for i in 1 2 3 4 5 6; do sleep 300 & done; wait",
			limits: jail.Limits{Processes: 5}, breach: jail.LimitProcesses, says: "had 7 processes, more than 5 (`limits.processes`)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			forEach(t, func(t *testing.T, b *bundle) {
				p := b.start(t, test.script, func(c *jail.Command) { c.Limits = test.limits })
				breach := p.awaitBreach(t)
				require.Equal(t, test.breach, breach.Limit)
				require.Greater(t, breach.Used, breach.Allowed)
				require.Contains(t, breach.String(), test.says)
				p.awaitExit(t)
				end := p.Kill()
				require.Equal(t, &breach, end.Breach)
				require.True(t, end.Gone)
				require.NotZero(t, end.Signal)
				require.Empty(t, survivors(t, p.token))
			})
		})
	}
}

func TestLimitsThatAreKept(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, b *bundle) {
		p := b.start(t, "dd if=/dev/zero bs=30M count=1 2>/dev/null | (sleep 1; wc -c); i=0; while [ $i -lt 10 ]; do /bin/true; i=$((i+1)); done",
			func(c *jail.Command) {
				c.Limits = jail.Limits{CPU: 30 * time.Second, Memory: 100 << 20, Processes: 4, OpenFiles: 20}
			})
		require.Equal(t, "31457280", p.line(t))
		p.awaitExit(t)
		end := p.Kill()
		require.Nil(t, end.Breach)
		require.Zero(t, end.Code)
		require.Zero(t, end.Signal)
		require.Greater(t, end.Usage.Peak, int64(30<<20))
		require.Less(t, end.Usage.Peak, int64(100<<20))
		require.Positive(t, end.Usage.CPU)
	})
}

func TestFilesInASandboxTakeMemory(t *testing.T) {
	t.Parallel()
	b := sandbox(t)
	p := b.start(t, "for d in /tmp /dev/shm; do head -c 60M /dev/zero >$d/x; done; sleep 300", func(c *jail.Command) {
		c.Limits = jail.Limits{Memory: 100 << 20}
	})
	require.Equal(t, jail.LimitMemory, p.awaitBreach(t).Limit)
	require.Greater(t, p.Kill().Usage.Peak, int64(100<<20))
}

// TestAFileThatIsMappedTakesMemoryOnce maps it in two processes, too.
func TestAFileThatIsMappedTakesMemoryOnce(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, b *bundle) {
		p := b.start(t, `exec python3 -c '
import mmap, os, time
fd = os.memfd_create("x")
os.ftruncate(fd, 60 << 20)
memory = mmap.mmap(fd, 60 << 20)
memory[:] = bytes(60 << 20)
child = os.fork()
len(memory[:1 << 20])
print(flush=True)
child and os.wait()
time.sleep(2)
'`, func(c *jail.Command) { c.Limits = jail.Limits{Memory: 160 << 20} })
		p.line(t)
		require.Greater(t, p.usage().Memory, int64(60<<20))
		p.awaitExit(t)
		require.Nil(t, p.Kill().Breach)
	})
}

func TestTheKernelsLimits(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, b *bundle) {
		got := b.output(t, "ulimit -n; ulimit -Hn; ulimit -c; ulimit -t; ulimit -d", func(c *jail.Command) {
			c.Limits = jail.Limits{OpenFiles: 33, CPU: 7 * time.Second, Memory: 64 << 20}
		})
		require.Equal(t, "33\n33\n0\n8\n1179648\n", got)
	})
}

func TestLimitCPUCountsFromNowOn(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, b *bundle) {
		const work = "read line; i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done; echo done; "
		stdin, w := pipe(t)
		p := b.start(t, work+work+"read line; while :; do :; done", func(c *jail.Command) {
			c.Files[0] = stdin
			c.Limits.CPU = 10 * time.Second
		})
		for range 2 {
			_, err := w.WriteString("\n")
			require.NoError(t, err)
			require.Equal(t, "done", p.line(t))
			require.Positive(t, p.usage().CPU)
			p.LimitCPU(10 * time.Second)
		}
		before := p.usage().CPU
		p.LimitCPU(100 * time.Millisecond)
		_, err := w.WriteString("\n")
		require.NoError(t, err)
		breach := p.awaitBreach(t)
		require.Equal(t, int64(100*time.Millisecond), breach.Allowed)
		require.Greater(t, p.Kill().Usage.CPU, before)
	})
}

func TestUsageAndLeftovers(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, b *bundle) {
		stdin, w := pipe(t)
		p := b.start(t, "echo; read line; setsid sleep 300 & a=$!; sleep 300 & b=$!; true & echo; read line; kill $a $b; wait; echo; read line", func(c *jail.Command) { c.Files[0] = stdin })
		require.Empty(t, p.line(t))
		require.Empty(t, p.leftovers())
		usage := p.usage()
		require.Positive(t, usage.Memory)
		require.GreaterOrEqual(t, usage.Peak, usage.Memory)
		require.Less(t, usage.Peak, int64(50<<20))

		_, err := w.WriteString("\n")
		require.NoError(t, err)
		require.Empty(t, p.line(t))
		eventually(t, func() string {
			if left := strings.Join(p.leftovers(), " "); left != "sleep sleep" {
				return left
			}
			return ""
		})
		require.Greater(t, p.usage().Memory, usage.Memory)

		_, err = w.WriteString("\n")
		require.NoError(t, err)
		require.Empty(t, p.line(t))
		eventually(t, func() string { return strings.Join(p.leftovers(), " ") })

		p.Kill()
		require.Zero(t, p.usage())
		require.Empty(t, p.leftovers())
		p.LimitCPU(time.Second)
	})
}

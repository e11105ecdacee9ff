package sensorlog_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/attune-automation/sensors/internal/sensorlog"
)

const (
	ref = "shop.orders"

	patience = 20 * time.Second
	tick     = 5 * time.Millisecond

	// writerDir makes the test program write to this folder until its input ends, see TestMain.
	writerDir = "TEST_SENSORLOG_DIR"
)

// noon is when the lines of tests are written unless they say otherwise.
var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func TestMain(m *testing.M) {
	if dir := os.Getenv(writerDir); dir != "" {
		if err := writeUntilEnd(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// writeUntilEnd writes numbered lines as fast as it can, like a worker with a noisy sensor.
func writeUntilEnd(dir string) error {
	d, err := sensorlog.Open(sensorlog.Config{Dir: dir, MaxBytes: 16 << 10, MaxFiles: 3, Logger: zap.NewNop()})
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	w := d.Writer(ref)
	for n := 0; ; n++ {
		w.WriteLine(time.Now(), sensorlog.SourceStdout, fmt.Sprintf("%d/%d %s", os.Getpid(), n, strings.Repeat("x", n%300)))
		if n == 1000 {
			fmt.Println("noisy")
		}
		select {
		case <-ended:
			w.Close()
			return d.Close()
		default:
		}
	}
}

// startWriter starts a process that writes; stop ends its input.
func startWriter(t *testing.T, dir string) (process *exec.Cmd, stop func()) {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe)
	cmd.Env = []string{writerDir + "=" + dir}
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	_, err = bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	return cmd, func() {
		_ = stdin.Close()
		require.NoError(t, cmd.Wait())
	}
}

func open(t *testing.T, c sensorlog.Config) *sensorlog.Dir {
	t.Helper()
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	d, err := sensorlog.Open(c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

// poll writes lines as a poll does.
func poll(d *sensorlog.Dir, lines ...string) {
	w := d.Writer(ref)
	defer w.Close()
	for _, line := range lines {
		w.WriteLine(noon, sensorlog.SourceInfo, line)
	}
}

func read(t *testing.T, q sensorlog.Query) []string {
	t.Helper()
	if q.Ref == "" {
		q.Ref = ref
	}
	lines, err := sensorlog.Read(q)
	require.NoError(t, err)
	return texts(lines)
}

func texts(lines []sensorlog.Line) []string {
	all := make([]string, len(lines))
	for i, l := range lines {
		all[i] = l.Text
	}
	return all
}

func numbers(from, to int) []string {
	var all []string
	for n := from; n < to; n++ {
		all = append(all, strconv.Itoa(n))
	}
	return all
}

func content(t *testing.T, dir string, name ...string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(append([]string{dir}, name...)...))
	require.NoError(t, err)
	return string(raw)
}

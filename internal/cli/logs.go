package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/sensorlog"
)

// logLines is how many lines of a log are shown unless the flags say otherwise.
const logLines = limit(100)

func newLogs(s *session) *cobra.Command {
	var from since
	var follow bool
	last := logLines
	c := &cobra.Command{
		Use:   "logs REF",
		Short: "Show what a sensor printed on this machine",
		Long: `Show what a sensor printed: the standard output and error of its processes, and what its code logged. Secrets are
masked. Lines have their time, and stdout, stderr or a level: debug, info, warning, error.

Logs stay where the worker runs that polled the sensor, in log.sensor_directory, for its user only: run this there. Of
several workers on the machine, all are read. With -o json, each line is {"time", "source", "text"}.`,
		Example: `  starter logs examples.git_commits
  starter logs examples.git_commits -f
  starter logs examples.git_commits --since 10m
  starter logs examples.git_commits -n 1000 -o json | jq -r 'select(.source == "error").text'`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.completeSensor(),
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := s.config()
			if err != nil {
				return err
			}
			if err := sensor.CheckRef(args[0]); err != nil {
				return err
			}
			q := sensorlog.Query{Dir: cfg.Log.SensorDirectory, Ref: args[0], Since: from.time, Last: int(last)}
			if !q.Since.IsZero() && !c.Flags().Changed("lines") {
				q.Last = 0
			}
			if follow {
				err = s.followLog(c.Context(), q)
			} else {
				err = s.showLog(c.Context(), q)
			}
			if errors.Is(err, fs.ErrPermission) {
				return fmt.Errorf("%w: run this as the worker's user", err)
			}
			return err
		},
	}
	flags := c.Flags()
	flags.BoolVarP(&follow, "follow", "f", false, "go on with what is added, until interrupted")
	flags.Var(&from, "since", "all lines since then: 2026-01-31T08:00:00Z, or 15m ago")
	flags.VarP(&last, "lines", "n", "at most this many, the newest ones")
	return c
}

func (s *session) showLog(ctx context.Context, q sensorlog.Query) error {
	lines, err := sensorlog.Read(q)
	if err != nil {
		return err
	}
	if len(lines) == 0 {
		return s.noLog(ctx, q)
	}
	return s.printLog(lines)
}

func (s *session) followLog(ctx context.Context, q sensorlog.Query) error {
	begun := false
	return sensorlog.Follow(ctx, q, func(lines []sensorlog.Line) error {
		if !begun && len(lines) == 0 {
			err := s.noLog(ctx, q)
			if _, ok := errors.AsType[no](err); !ok {
				return err
			}
			s.warn("%v", err)
			s.warn("waiting for the next line")
		}
		begun = true
		return s.printLog(lines)
	})
}

// noLog says why there is nothing to show: the sensor is unknown, silent, or polled elsewhere. The log is a matter of
// files, so the servers are asked for no more than a hint, and may be away.
func (s *session) noLog(ctx context.Context, q sensorlog.Query) error {
	if !q.Since.IsZero() {
		older, err := sensorlog.Read(sensorlog.Query{Dir: q.Dir, Ref: q.Ref, Last: 1})
		if err != nil {
			return err
		}
		if len(older) > 0 {
			return no{fmt.Sprintf("sensor %q printed nothing on this machine since %s: its last line is of %s",
				q.Ref, moment(q.Since), moment(older[0].Time))}
		}
	}
	if db, err := s.store(ctx); err == nil {
		if _, err := db.Sensor(ctx, q.Ref); errors.Is(err, sensor.ErrNotFound) {
			return unknownSensor(ctx, db, q.Ref, err)
		}
	}
	return no{fmt.Sprintf("sensor %q printed nothing that is kept in %s on this machine: %s", q.Ref, q.Dir, s.whereLogsAre(ctx, q.Ref))}
}

// whereLogsAre says where to look for the log of a sensor that is not here, as far as its workflow knows.
func (s *session) whereLogsAre(ctx context.Context, ref string) string {
	const elsewhere = "logs are on the machines whose workers polled it, in their log.sensor_directory"
	f, err := s.fleet(ctx)
	if err != nil {
		return elsewhere
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	status, err := f.Status(ctx, ref)
	if err != nil || status.Host == "" {
		return elsewhere
	}
	if here, err := os.Hostname(); err == nil && here == status.Host {
		return "it was polled last here, so either it is silent, or log.sensor_directory is not that of the worker"
	}
	return fmt.Sprintf("it was polled last on %s: run this there", status.Host)
}

// printLog writes lines as they are in the files, or each as a document.
func (s *session) printLog(lines []sensorlog.Line) error {
	out := bufio.NewWriter(s.env.Stdout)
	for _, line := range lines {
		if err := s.printLogLine(out, line); err != nil {
			return err
		}
	}
	return out.Flush()
}

func (s *session) printLogLine(out io.Writer, line sensorlog.Line) error {
	switch s.format {
	case formatJSON:
		return newEncoder(out).Encode(line)
	case formatYAML:
		if _, err := io.WriteString(out, "---\n"); err != nil {
			return err
		}
		return encodeYAML(out, line)
	}
	_, err := fmt.Fprintln(out, printableLines(line.String()))
	return err
}

// Package logging builds the project's logger, JSON in production and readable lines on a terminal, and lends it to
// Temporal's SDK.
package logging

import (
	"fmt"
	"io"
	"os"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// The formats of log lines.
const (
	FormatAuto    = "auto" // console when the output is a terminal, JSON otherwise
	FormatJSON    = "json"
	FormatConsole = "console"
)

// Config says what is logged, how and where to.
type Config struct {
	Level  string    // debug, info, warn or error; empty: info
	Format string    // auto, json or console; empty: auto
	Output io.Writer // nil: standard error
}

// New returns a logger. A line of JSON has ts (RFC 3339 with nanoseconds, UTC), level, logger if named, msg and the
// fields.
func New(c Config) (*zap.Logger, error) {
	if c.Level == "" {
		c.Level = zapcore.InfoLevel.String()
	}
	level, err := zapcore.ParseLevel(c.Level)
	if err != nil || level < zapcore.DebugLevel || level > zapcore.ErrorLevel {
		return nil, fmt.Errorf("unknown log.level %q: use debug, info, warn or error", c.Level)
	}
	if c.Output == nil {
		c.Output = os.Stderr
	}
	encoder, err := newEncoder(c.Format, c.Output)
	if err != nil {
		return nil, err
	}
	sink := zapcore.Lock(zapcore.AddSync(c.Output))
	return zap.New(zapcore.NewCore(encoder, sink, level), zap.ErrorOutput(sink)), nil
}

func newEncoder(format string, output io.Writer) (zapcore.Encoder, error) {
	switch format {
	case FormatConsole:
		return newConsoleEncoder(), nil
	case FormatJSON:
		return newJSONEncoder(), nil
	case FormatAuto, "":
		if isTerminal(output) {
			return newConsoleEncoder(), nil
		}
		return newJSONEncoder(), nil
	default:
		return nil, fmt.Errorf("unknown log.format %q: use auto, json or console", format)
	}
}

func newJSONEncoder() zapcore.Encoder {
	return zapcore.NewJSONEncoder(zapcore.EncoderConfig{
		TimeKey:        "ts",
		LevelKey:       "level",
		NameKey:        "logger",
		MessageKey:     "msg",
		StacktraceKey:  "stacktrace",
		EncodeTime:     encodeTimeUTC,
		EncodeLevel:    zapcore.LowercaseLevelEncoder,
		EncodeDuration: zapcore.StringDurationEncoder,
	})
}

func newConsoleEncoder() zapcore.Encoder {
	return zapcore.NewConsoleEncoder(zapcore.EncoderConfig{
		TimeKey:          "ts",
		LevelKey:         "level",
		NameKey:          "logger",
		MessageKey:       "msg",
		StacktraceKey:    "stacktrace",
		EncodeTime:       zapcore.TimeEncoderOfLayout("15:04:05.000"),
		EncodeLevel:      zapcore.CapitalLevelEncoder,
		EncodeDuration:   zapcore.StringDurationEncoder,
		ConsoleSeparator: "  ",
	})
}

func encodeTimeUTC(t time.Time, enc zapcore.PrimitiveArrayEncoder) {
	enc.AppendString(t.UTC().Format(time.RFC3339Nano))
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

package logging

import (
	"fmt"
	"strings"
	"unicode"

	"go.temporal.io/sdk/log"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Temporal returns l as the logger of Temporal's SDK. The SDK's keys (WorkflowID) become those of our logs (workflow_id).
func Temporal(l *zap.Logger) log.Logger {
	return temporalLogger{zap: l}
}

// temporalLogger also has With, which spares the SDK a wrapper around each call. It has no WithCallerSkip: our lines do
// not name the caller.
type temporalLogger struct {
	zap *zap.Logger
}

var _ log.WithLogger = temporalLogger{}

// Debug logs what only matters when looking for a fault.
func (t temporalLogger) Debug(msg string, keyvals ...any) {
	t.write(zapcore.DebugLevel, msg, keyvals)
}

// Info logs what happens in normal operation.
func (t temporalLogger) Info(msg string, keyvals ...any) {
	t.write(zapcore.InfoLevel, msg, keyvals)
}

// Warn logs what is wrong but heals by itself.
func (t temporalLogger) Warn(msg string, keyvals ...any) {
	t.write(zapcore.WarnLevel, msg, keyvals)
}

// Error logs what somebody has to look at.
func (t temporalLogger) Error(msg string, keyvals ...any) {
	t.write(zapcore.ErrorLevel, msg, keyvals)
}

// With returns a logger whose lines all carry keyvals.
func (t temporalLogger) With(keyvals ...any) log.Logger {
	return temporalLogger{zap: t.zap.With(fields(keyvals)...)}
}

func (t temporalLogger) write(level zapcore.Level, msg string, keyvals []any) {
	if entry := t.zap.Check(level, msg); entry != nil {
		entry.Write(fields(keyvals)...)
	}
}

// fields pairs up keyvals. A value without a key is kept under "extra", so that a slip in a call loses nothing.
func fields(keyvals []any) []zap.Field {
	fields := make([]zap.Field, 0, (len(keyvals)+1)/2)
	for len(keyvals) > 1 {
		fields = append(fields, zap.Any(snakeCase(fmt.Sprint(keyvals[0])), keyvals[1]))
		keyvals = keyvals[2:]
	}
	if len(keyvals) == 1 {
		fields = append(fields, zap.Any("extra", keyvals[0]))
	}
	return fields
}

// snakeCase turns WorkflowID into workflow_id and HTTPStatusCode into http_status_code; snake_case stays as it is.
func snakeCase(key string) string {
	runes := []rune(key)
	var b strings.Builder
	for i, r := range runes {
		if unicode.IsUpper(r) && i > 0 && startsWord(runes, i) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// startsWord says whether the capital at i begins a word: after a small letter or digit, or as the last capital of a run.
func startsWord(runes []rune, i int) bool {
	before := runes[i-1]
	if unicode.IsLower(before) || unicode.IsDigit(before) {
		return true
	}
	return unicode.IsUpper(before) && i+1 < len(runes) && unicode.IsLower(runes[i+1])
}

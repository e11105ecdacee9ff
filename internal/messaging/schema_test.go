package messaging

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write docs/messages/*.schema.json from the types")

const schemaDir = "../../docs/messages"

// TestSchemasMatchTypes: the schemas say what the types say, no more and no less.
func TestSchemasMatchTypes(t *testing.T) {
	t.Parallel()
	docs := readDocs(t)
	var files []string
	for _, s := range samples() {
		path := filepath.Join(schemaDir, s.file())
		files = append(files, path)
		want := s.schema(t, docs)
		if *update {
			require.NoError(t, os.WriteFile(path, want, 0o644))
		}
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got), "write the schemas anew: go test ./internal/messaging -run Schemas -update")
	}
	found, err := filepath.Glob(filepath.Join(schemaDir, "*.json"))
	require.NoError(t, err)
	require.ElementsMatch(t, files, found)
	require.Len(t, files, 8)
}

// TestMessagesSatisfySchemas: what a type writes is valid, with all that may be null or absent so too; and a message in
// which anything else is null or absent is not.
func TestMessagesSatisfySchemas(t *testing.T) {
	t.Parallel()
	for _, s := range samples() {
		t.Run(string(s.kind), func(t *testing.T) {
			t.Parallel()
			schema := compile(t, s.file())
			for _, message := range []any{s.full, s.sparse} {
				require.NoError(t, schema.Validate(parse(t, message)))
			}
			sparse := parse(t, s.sparse).(map[string]any)
			for _, path := range [][]string{{}, {"headers"}, {"payload"}} {
				for field, value := range descend(sparse, path) {
					bad := parse(t, s.sparse)
					delete(descend(bad, path), field)
					require.Error(t, schema.Validate(bad), "%v without %s", path, field)
					if value == nil {
						continue
					}
					bad = parse(t, s.sparse)
					descend(bad, path)[field] = nil
					if anyValue := slices.Equal(path, []string{"payload"}) && s.raw[field]; anyValue {
						require.NoError(t, schema.Validate(bad))
					} else {
						require.Error(t, schema.Validate(bad), "%v with %s null", path, field)
					}
				}
			}
			other := parse(t, s.full).(map[string]any)
			other["message_type"] = "Other"
			require.Error(t, schema.Validate(other))
		})
	}
}

// sample is a message of one type, for the test.
type sample struct {
	kind   MessageType
	full   any             // an envelope in which everything is set
	sparse any             // one in which everything is null or absent that may be
	raw    map[string]bool // fields of the payload that hold any JSON value
}

func samples() []sample {
	id, name, at := int64(12), "examples.git_log", time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC)
	raw := json.RawMessage(`{"any": ["value"]}`)
	return []sample{
		newSample(EventCreated{1, &id, "examples.commit", &id, &name, raw, raw, &at}),
		newSample(EnforcementCreated{1, 2, "examples.big_commit", 3, 3, "examples.commit", raw, raw, &id, &id}),
		newSample(ExecutionRequested{1, &id, "core.echo", &id, &id, raw}),
		newSample(ExecutionStatusChanged{1, "core.echo", "running", "completed", at}),
		newSample(ExecutionCompleted{1, 2, "core.echo", "completed", raw, at}),
		newSample(InquiryCreated{1, 2, "Deploy?", raw, &id, &at}),
		newSample(InquiryResponded{1, 2, raw, &id, at}),
		newSample(NotificationCreated{1, "ops", "execution", "12", "completed", raw}),
	}
}

func newSample[P Payload](full P) sample {
	envelope := Envelope[P]{
		MessageID:     uuid.MustParse("5f0c0b6e-7c51-5d3c-8a55-3f9d1f5f1b10"),
		CorrelationID: uuid.MustParse("0d6a1e5c-54a5-5c0b-9f0b-2f6f2f0f7c11"),
		MessageType:   full.MessageType(),
		Version:       Version,
		Timestamp:     time.Date(2026, 3, 14, 15, 9, 26, 535897000, time.UTC),
		Headers:       Headers{SourceService: DefaultAppID, TraceID: "0af7651916cd43dd8448eb211c80319c"},
		Payload:       full,
	}
	s := sample{kind: full.MessageType(), full: envelope, raw: map[string]bool{}}
	envelope.Headers.TraceID = ""
	payload := reflect.ValueOf(&envelope.Payload).Elem()
	for i := range payload.NumField() {
		switch field := payload.Field(i); field.Kind() {
		case reflect.Pointer:
			field.SetZero()
		case reflect.Slice:
			s.raw[payload.Type().Field(i).Tag.Get("json")] = true
		}
	}
	s.sparse = envelope
	return s
}

func (s sample) file() string { return string(s.kind) + ".schema.json" }

func compile(t *testing.T, file string) *jsonschema.Schema {
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	compiled, err := compiler.Compile(filepath.Join(schemaDir, file))
	require.NoError(t, err)
	return compiled
}

// parse returns the message as a validator sees it.
func parse(t *testing.T, message any) any {
	b, err := json.Marshal(message)
	require.NoError(t, err)
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	require.NoError(t, err)
	return value
}

func descend(message any, path []string) map[string]any {
	for _, field := range path {
		message = message.(map[string]any)[field]
	}
	return message.(map[string]any)
}

package rule_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/sensor"
)

// event is what a webhook of an ordinary size brings.
const event = `{"id": "12345", "ref": "refs/heads/main", "size": 3, "after": "9f2c0d8a7b", "forced": false, "sender": {"id": 4711, "login": "alice", "site_admin": false}, "commits": [{"hash": "9f2c0d8a7b", "files": 4, "author": "alice", "subject": "Fix the \"thing\"", "deletions": 8, "insertions": 120}, {"hash": "77aa00bb11", "files": 2, "author": "bob", "subject": "Add tests", "deletions": 0, "insertions": 80}], "repository": {"stars": 12.5, "topics": ["go", "automation", "sensor"], "private": true, "full_name": "acme/site"}}`

// BenchmarkRule is what one rule costs on an event that was decoded for conditions: with the event new to expressions,
// which decode it once, and with that done for a rule before.
func BenchmarkRule(b *testing.B) {
	const conditions = `[{"field": "ref", "operator": "equals", "value": "refs/heads/main"}, {"field": "size", "operator": "greater_than", "value": 2}]`
	for _, c := range []struct {
		name string
		rule sensor.Rule
	}{
		{"conditions", sensor.Rule{Conditions: json.RawMessage(conditions), ActionParams: json.RawMessage(`{"level": 2}`)}},
		{"cel", sensor.Rule{Conditions: json.RawMessage(`[]`), CEL: `payload.ref == "refs/heads/main" && payload.size > 2`}},
		{"cel_loop", sensor.Rule{Conditions: json.RawMessage(`[]`), CEL: `payload.commits.exists(c, c.author == "bob" && c.files < 3)`}},
		{"path", sensor.Rule{Conditions: json.RawMessage(conditions), ActionParams: json.RawMessage(`{"ref": "{{ payload.ref }}"}`)}},
		{"params", sensor.Rule{Conditions: json.RawMessage(conditions), ActionParams: json.RawMessage(
			`{"ref": "{{ payload.ref }}", "commits": "{{ payload.commits.map(c, c.hash) }}", "text": "{{ payload.sender.login }} pushed {{ size(payload.commits) }}"}`)}},
	} {
		compiled, err := rule.Compile(&c.rule)
		require.NoError(b, err)
		value, err := condition.Decode([]byte(event))
		require.NoError(b, err)
		evaluate := func(b *testing.B, doc *rule.Document) {
			matched, err := compiled.Match(b.Context(), doc)
			_, reason, paramsErr := compiled.Params(b.Context(), doc)
			if err != nil || paramsErr != nil || !matched || reason != "" {
				b.Fatal(matched, reason, err, paramsErr)
			}
		}
		b.Run(c.name+"/first", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				evaluate(b, rule.NewDocument(condition.Document{condition.Payload: value}))
			}
		})
		b.Run(c.name+"/next", func(b *testing.B) {
			doc := rule.NewDocument(condition.Document{condition.Payload: value})
			b.ReportAllocs()
			for b.Loop() {
				evaluate(b, doc)
			}
		})
	}
}

package condition

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// benchmarkPayload is what a webhook of an ordinary size brings, as jsonb hands it out.
const benchmarkPayload = `{"id": "12345", "ref": "refs/heads/main", "size": 3, "after": "9f2c0d8a7b", "forced": false, "sender": {"id": 4711, "login": "alice", "site_admin": false}, "commits": [{"hash": "9f2c0d8a7b", "files": 4, "author": "alice", "subject": "Fix the \"thing\"", "deletions": 8, "insertions": 120}, {"hash": "77aa00bb11", "files": 2, "author": "bob", "subject": "Add tests", "deletions": 0, "insertions": 80}], "repository": {"stars": 12.5, "topics": ["go", "automation", "sensor"], "private": true, "full_name": "acme/site"}}`

// benchmarkClauses all match benchmarkPayload, so that a rule of all evaluates every one.
var benchmarkClauses = []struct{ name, clause string }{
	{"equals", `{"field": "payload.ref", "operator": "equals", "value": "refs/heads/main"}`},
	{"not_equals", `{"field": "sender.login", "operator": "not_equals", "value": "bot"}`},
	{"number", `{"field": "sender.id", "operator": "equals", "value": 4711}`},
	{"contains", `{"field": "repository.topics", "operator": "contains", "value": "sensor"}`},
	{"starts_with", `{"field": "ref", "operator": "starts_with", "value": "refs/heads/"}`},
	{"ends_with", `{"field": "repository.full_name", "operator": "ends_with", "value": "/site"}`},
	{"greater_than", `{"field": "size", "operator": "greater_than", "value": 2}`},
	{"less_than", `{"field": "commits[0].deletions", "operator": "less_than", "value": 10}`},
	{"in", `{"field": "sender.login", "operator": "in", "value": ["alice", "bob", "carol"]}`},
	{"not_in", `{"field": "sender.id", "operator": "not_in", "value": [1, 2, 3]}`},
	{"wildcard", `{"field": "commits.*.author", "operator": "equals", "value": "bob"}`},
	{"missing", `{"field": "pull_request.title", "operator": "not_equals", "value": "x"}`},
	{"matches", `{"field": "ref", "operator": "matches", "value": "^refs/heads/(main|release-.*)$"}`},
}

func benchmarkProgram(b *testing.B, names ...string) (*Program, int) {
	b.Helper()
	var clauses []string
	for _, c := range benchmarkClauses {
		if len(names) == 0 || names[0] == c.name {
			clauses = append(clauses, c.clause)
		}
	}
	program, err := Compile(All, json.RawMessage("["+strings.Join(clauses, ",")+"]"))
	require.NoError(b, err)
	return program, len(clauses)
}

func benchmarkDocument(b *testing.B) *Document {
	b.Helper()
	payload, err := Decode([]byte(benchmarkPayload))
	require.NoError(b, err)
	return &Document{Payload: payload}
}

func reportClauses(b *testing.B, clauses int) {
	b.ReportMetric(float64(clauses)*float64(b.N)/b.Elapsed().Seconds(), "clauses/s")
}

// BenchmarkMatch evaluates one clause on a decoded document.
func BenchmarkMatch(b *testing.B) {
	doc := benchmarkDocument(b)
	for _, c := range benchmarkClauses {
		b.Run(c.name, func(b *testing.B) {
			program, clauses := benchmarkProgram(b, c.name)
			b.ReportAllocs()
			for b.Loop() {
				if !program.Match(doc) {
					b.Fatal("no match")
				}
			}
			reportClauses(b, clauses)
		})
	}
}

// BenchmarkMatchRule evaluates a rule of all the clauses on a decoded document.
func BenchmarkMatchRule(b *testing.B) {
	doc := benchmarkDocument(b)
	program, clauses := benchmarkProgram(b)
	b.ReportAllocs()
	for b.Loop() {
		if !program.Match(doc) {
			b.Fatal("no match")
		}
	}
	reportClauses(b, clauses)
}

// BenchmarkMatchRaw decodes the document for every evaluation of a number of rules, each with
// all the clauses: what an event costs.
func BenchmarkMatchRaw(b *testing.B) {
	program, clauses := benchmarkProgram(b)
	raw := []byte(benchmarkPayload)
	for _, rules := range []int{1, 10} {
		b.Run(fmt.Sprintf("rules=%d", rules), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				payload, err := Decode(raw)
				if err != nil {
					b.Fatal(err)
				}
				doc := Document{Payload: payload}
				for range rules {
					if !program.Match(&doc) {
						b.Fatal("no match")
					}
				}
			}
			reportClauses(b, clauses*rules)
		})
	}
}

// BenchmarkDecode sets Decode beside encoding/json.
func BenchmarkDecode(b *testing.B) {
	raw := []byte(benchmarkPayload)
	b.Run("condition", func(b *testing.B) {
		b.SetBytes(int64(len(raw)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Decode(raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.SetBytes(int64(len(raw)))
		b.ReportAllocs()
		for b.Loop() {
			var v any
			d := json.NewDecoder(bytes.NewReader(raw))
			d.UseNumber()
			if err := d.Decode(&v); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkExplain(b *testing.B) {
	doc := benchmarkDocument(b)
	program, clauses := benchmarkProgram(b)
	b.ReportAllocs()
	for b.Loop() {
		if !program.Explain(doc).Matched {
			b.Fatal("no match")
		}
	}
	reportClauses(b, clauses)
}

func BenchmarkCompile(b *testing.B) {
	var clauses []string
	for _, c := range benchmarkClauses {
		clauses = append(clauses, c.clause)
	}
	raw := json.RawMessage("[" + strings.Join(clauses, ",") + "]")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(All, raw); err != nil {
			b.Fatal(err)
		}
	}
}

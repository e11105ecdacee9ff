package main

import (
	"encoding/json"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/condition"
)

// clausesPayload is what a webhook of an ordinary size brings.
const clausesPayload = `{"id": "12345", "ref": "refs/heads/main", "size": 3, "after": "9f2c0d8a7b", "forced": false,
	"sender": {"id": 4711, "login": "alice", "site_admin": false},
	"commits": [{"hash": "9f2c0d8a7b", "files": 4, "author": "alice", "subject": "Fix the \"thing\"", "deletions": 8},
		{"hash": "77aa00bb11", "files": 2, "author": "bob", "subject": "Add tests", "deletions": 0}],
	"repository": {"stars": 12.5, "topics": ["go", "automation", "sensor"], "private": true, "full_name": "acme/site"}}`

// clausesRule has one clause of each operator, all of which match.
const clausesRule = `[
	{"field": "payload.ref", "operator": "equals", "value": "refs/heads/main"},
	{"field": "sender.login", "operator": "not_equals", "value": "bot"},
	{"field": "repository.topics", "operator": "contains", "value": "sensor"},
	{"field": "ref", "operator": "starts_with", "value": "refs/heads/"},
	{"field": "repository.full_name", "operator": "ends_with", "value": "/site"},
	{"field": "size", "operator": "greater_than", "value": 2},
	{"field": "commits[0].deletions", "operator": "less_than", "value": 10},
	{"field": "sender.login", "operator": "in", "value": ["alice", "bob", "carol"]},
	{"field": "sender.id", "operator": "not_in", "value": [1, 2, 3]},
	{"field": "ref", "operator": "matches", "value": "^refs/heads/(main|release-.*)$"}]`

// benchClauses evaluates rules on one core.
func benchClauses(t *trial) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var each []json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(clausesRule), &each))
	simple, err := json.Marshal(each[:len(each)-1])
	require.NoError(t, err)
	t.report("simple", t.clauseRate(string(simple), len(each)-1, false), "clauses/s")
	t.report("ten_operators", t.clauseRate(clausesRule, len(each), false), "clauses/s")
	t.report("with_decoding", t.clauseRate(clausesRule, len(each), true), "clauses/s")
}

// clauseRate returns how many clauses of a rule are evaluated in a second, on a payload that is decoded once, or each
// time.
func (t *trial) clauseRate(rule string, clauses int, decode bool) float64 {
	program, err := condition.Compile(condition.All, json.RawMessage(rule))
	require.NoError(t, err)
	payload, err := condition.Decode([]byte(clausesPayload))
	require.NoError(t, err)
	document := condition.Document{condition.Payload: payload}
	matched := true
	result := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			if decode {
				payload, err = condition.Decode([]byte(clausesPayload))
				document[condition.Payload] = payload
			}
			matched = matched && err == nil && program.Match(&document)
		}
	})
	require.True(t, matched)
	return float64(clauses) * float64(result.N) / result.T.Seconds()
}

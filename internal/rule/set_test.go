package rule_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/expression"
	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/sensor"
)

func payload(t testing.TB, text string) *rule.Document {
	t.Helper()
	value, err := condition.Decode([]byte(text))
	require.NoError(t, err)
	return rule.NewDocument(condition.Document{condition.Payload: value})
}

func branch(ref, name string) *sensor.Rule {
	return &sensor.Rule{Ref: ref, Condition: "all", Conditions: json.RawMessage(fmt.Sprintf(`[{"field": "branch", "operator": "equals", "value": %q}]`, name))}
}

func matching(t testing.TB, set *rule.Set, doc *rule.Document) []string {
	t.Helper()
	var finder rule.Finder
	matches, err := set.Match(t.Context(), doc, &finder)
	require.NoError(t, err)
	refs := []string{}
	for _, m := range matches {
		refs = append(refs, m.Rule.Ref)
	}
	return refs
}

func TestBook(t *testing.T) {
	t.Parallel()
	var book rule.Book
	main, dev := payload(t, `{"branch": "main"}`), payload(t, `{"branch": "dev"}`)
	require.Empty(t, matching(t, book.Set(), main))
	require.Empty(t, matching(t, nil, main))

	require.NoError(t, book.Put(branch("b.two", "main")))
	require.NoError(t, book.Put(branch("b.one", "main")))
	require.NoError(t, book.Put(&sensor.Rule{Ref: "b.every", Condition: "all", Conditions: json.RawMessage(`[]`)}))
	first := book.Set()
	require.Same(t, first, book.Set())
	require.Equal(t, []string{"b.every", "b.one", "b.two"}, matching(t, first, main))
	require.Equal(t, 3, first.Len())
	require.Empty(t, first.Needs())

	urgent := branch("b.two", "main")
	urgent.Priority = 1
	require.NoError(t, book.Put(urgent))
	require.Equal(t, []string{"b.two", "b.every", "b.one"}, matching(t, book.Set(), main), "by priority, then by ref")

	require.NoError(t, book.Put(branch("b.two", "dev")))
	require.NoError(t, book.Put(&sensor.Rule{Ref: "b.every", Condition: "any", Conditions: json.RawMessage(`[{"field": "sensor.ref", "operator": "exists"}]`)}))
	book.Remove("b.one")
	book.Remove("b.none")
	second := book.Set()
	require.Equal(t, []string{"b.every", "b.one", "b.two"}, matching(t, first, main), "as it was")
	require.Empty(t, matching(t, second, main))
	require.Equal(t, []string{"b.two"}, matching(t, second, dev))
	require.Equal(t, rule.Needs{condition.Sensor: true}, second.Needs())

	require.ErrorContains(t, book.Put(&sensor.Rule{Ref: "b.two", Condition: "all", Conditions: json.RawMessage(`[{}]`)}), "is empty")
	require.Empty(t, matching(t, book.Set(), dev), "what does not compile matches nothing")
	require.Equal(t, 2, book.Len())

	require.NoError(t, book.Put(branch("b.new", "dev")))
	book.Keep([]string{"b.new"})
	require.Equal(t, []string{"b.new"}, matching(t, book.Set(), dev))
	require.Equal(t, 1, book.Len())
	require.Empty(t, book.Set().Needs())
}

// TestBookOfMany changes rules one by one, far beyond one chunk, and compares with what each of them says.
func TestBookOfMany(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	var book rule.Book
	names := map[string]string{}
	for i := range 3000 {
		ref := fmt.Sprintf("b.r%d", random.IntN(1200))
		if random.IntN(4) == 0 {
			book.Remove(ref)
			delete(names, ref)
		} else {
			names[ref] = fmt.Sprintf("name%d", random.IntN(100))
			require.NoError(t, book.Put(branch(ref, names[ref])))
		}
		if i%50 != 0 {
			continue
		}
		name, want := fmt.Sprintf("name%d", random.IntN(100)), []string{}
		for ref, has := range names {
			if has == name {
				want = append(want, ref)
			}
		}
		slices.Sort(want)
		require.Equal(t, want, matching(t, book.Set(), payload(t, fmt.Sprintf(`{"branch": %q}`, name))))
		require.Equal(t, len(names), book.Set().Len())
	}
}

// TestFailed names the rules that do not match because their expression has no result, and no others.
func TestFailed(t *testing.T) {
	t.Parallel()
	later := time.Now().Add(time.Hour)
	var book rule.Book
	for ref, r := range map[string]*sensor.Rule{
		"b.matches":   {CEL: `payload.branch == "main"`},
		"b.does_not":  {CEL: `payload.branch == "dev"`},
		"b.missing":   {CEL: `payload.nope == 1`},
		"b.types":     {CEL: `payload.branch < 3`},
		"b.costs":     {CEL: `!payload.list.exists(a, payload.list.exists(b, a + b == -1))`, Shadow: true},
		"b.untimely":  {CEL: `payload.nope == 1`, ValidFrom: &later},
		"b.condition": {CEL: `payload.nope == 1`, Conditions: json.RawMessage(`[{"field": "branch", "operator": "equals", "value": "dev"}]`)},
	} {
		if r.Ref, r.Condition = ref, "all"; r.Conditions == nil {
			r.Conditions = json.RawMessage(`[]`)
		}
		require.NoError(t, book.Put(r))
	}
	doc := payload(t, `{"branch": "main", "list": [`+strings.Repeat("0, ", 329)+`0]}`)
	doc.At = time.Now()
	var finder rule.Finder
	for range 2 {
		matches, err := book.Set().Match(t.Context(), doc, &finder)
		require.NoError(t, err)
		require.Len(t, matches, 1)
		causes := map[string]expression.Cause{}
		for _, f := range finder.Failed() {
			causes[f.Rule.Ref] = f.Failure.Cause
		}
		require.Equal(t, map[string]expression.Cause{
			"b.missing": expression.CauseMissing, "b.types": expression.CauseTypes, "b.costs": expression.CauseCost,
		}, causes)
	}
	overruns, err := book.Set().Inspect(t.Context(), doc, &finder, rule.Limits{Overrun: time.Hour, Cut: time.Hour})
	require.NoError(t, err)
	require.Len(t, overruns, 1)
	require.True(t, overruns[0].Cost)
	_, err = (*rule.Set)(nil).Match(t.Context(), doc, &finder)
	require.NoError(t, err)
	require.Empty(t, finder.Failed())
}

package condition_test

import (
	"encoding/json"
	"fmt"

	"github.com/attune-automation/sensors/internal/condition"
)

func ExampleProgram_Explain() {
	program, err := condition.Compile(condition.All, json.RawMessage(`[
		{"field": "payload.branch", "operator": "equals", "value": "main"},
		{"field": "commits.*.author", "operator": "not_in", "value": ["bot"]}
	]`))
	if err != nil {
		fmt.Println(err)
		return
	}
	payload, err := condition.Decode([]byte(`{"branch": "main", "commits": [{"author": "ann"}, {"author": "bot"}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	doc := condition.Document{condition.Payload: payload}
	fmt.Println(program.Match(&doc))
	for _, verdict := range program.Explain(&doc).Verdicts {
		fmt.Printf("%s %s %s: %s is %v: %s\n",
			verdict.Field, verdict.Operator, verdict.Expected, verdict.Actual, verdict.Matched, verdict.Reason)
	}
	// Output:
	// false
	// payload.branch equals "main": "main" is true: value is equal
	// commits.*.author not_in ["bot"]: "bot" is false: value is in the list
}

func ExampleCompile() {
	_, err := condition.Compile(condition.Any, json.RawMessage(`[
		{"field": "branch", "operator": "equal", "value": "main"},
		{"not": {"field": "files", "operator": "greater_than", "value": "5"}}
	]`))
	fmt.Println(err)
	// Output:
	// conditions[0].operator: branch: unknown operator "equal": did you mean "equals"?
	// conditions[1].not.value: files greater_than: want a number, got the string "5"; write a number without quotes
}

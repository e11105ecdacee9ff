package rule_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attune-automation/sensors/internal/expression"
	"github.com/attune-automation/sensors/internal/rule"
	"github.com/attune-automation/sensors/internal/sensor"
)

// stock is a schema that says how long its lists are, and what its numbers may be.
const stock = `{"type": "object", "required": ["items", "two", "few", "pair", "name", "state", "n", "some", "rest", "price", "mixed", "when", "digits", "map", "any", "i", "span", "maybe", "ms"],
	"properties": {
	"items": {"type": "array", "items": {"$ref": "#/$defs/item"}}, "two": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 4},
	"few": {"type": "array", "items": {"type": "integer"}, "minItems": 0}, "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": false, "minItems": 2},
	"name": {"type": "string"}, "state": {"enum": ["up", "down"]}, "n": {"type": "integer"}, "some": {"type": "integer", "minimum": 1}, "rest": {"type": "integer", "minimum": 0, "maximum": 9},
	"price": {"type": "number"}, "mixed": {"type": ["string", "integer"]}, "when": {"type": "string", "format": "date-time"}, "digits": {"type": "string", "pattern": "^-?[0-9]{1,18}$"},
	"map": {"type": "object", "additionalProperties": {"type": "integer"}}, "any": {}, "i": {"type": "integer", "minimum": 0}, "span": {"type": "string", "format": "duration"}, "maybe": {"type": ["integer", "null"]}, "ms": {"type": "integer", "minimum": 0, "maximum": 4102444800000},
	"closed": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false}},
	"$defs": {"item": {"type": "object", "required": ["sku", "qty"], "properties": {"sku": {"type": "string"}, "qty": {"type": "integer"}, "note": {"type": "string"}}}}}`

// What an expression may fail for is said when it is saved: a problem if the schema allows it, else a warning.
func TestCheckOfWhatMayFail(t *testing.T) {
	t.Parallel()
	for template, c := range map[string]struct{ problem, warning string }{
		`payload.few[0]`:   {problem: "payload.few may have no element 0 by the trigger's out_schema: write payload.few[?0].orValue(...), or size(payload.few) > 0 ? ... : ..., add a condition such as length_greater_or_equal 1, or say minItems: 1 in the trigger's out_schema"},
		`payload.two[2]`:   {problem: "payload.two may have no element 2 by the trigger's out_schema"},
		`payload.two[4]`:   {problem: "payload.two has no element 4: it has 4 at most by the trigger's out_schema, of which the first is element 0"},
		`payload.two[-1]`:  {problem: "payload.two has no element -1: the last one is payload.two[size(payload.two) - 1]"},
		`payload.pair[2]`:  {problem: "payload.pair has no element 2: it has 2 at most"},
		`payload.items[0]`: {warning: "nothing says that the list of payload.items[0] is long enough, and otherwise there are no parameters: say minItems in the trigger's out_schema, add a condition such as length_greater_or_equal, or write a default, such as payload.items[?0].orValue(...)"},
		`payload.items[size(payload.items) - 1].sku`:                  {warning: "payload.items may have no element size(payload.items) - 1"},
		`payload.two[payload.i]`:                                      {warning: "payload.two may have no element payload.i: write payload.two[?payload.i].orValue(...), or compare the index with size(payload.two)"},
		`payload.two[1.5]`:                                            {problem: "does not take"},
		`payload.map[payload.name]`:                                   {warning: "payload.map may have no payload.name: write payload.map[?payload.name].orValue(...), or payload.name in payload.map ? ... : ..."},
		`has(payload.closed) ? payload.closed.b : ""`:                 {problem: `payload.closed has no field "b" by the trigger's out_schema: did you mean "a"?`},
		`payload.mixed + 1`:                                           {problem: "payload.mixed may be a text by the trigger's out_schema, which + does not take: convert it, or ask for its type, such as type(payload.mixed) == int ? ... : ..."},
		`payload.mixed.startsWith("a")`:                               {problem: "payload.mixed may be an integer by the trigger's out_schema, which startsWith does not take"},
		`payload.mixed < 3`:                                           {problem: "payload.mixed may be a text by the trigger's out_schema, which < does not take"},
		`payload.name * 2`:                                            {problem: "* does not take (string, int)"},
		`payload.price + 1`:                                           {problem: "payload.price may be an integer or a number with a fraction by the trigger's out_schema, and + does not take all of these together: convert it and compute with fractions, such as double(payload.price) and 1.0"},
		`timestamp(payload.ms)`:                                       {warning: "payload.ms may be beyond the year 9999, as milliseconds are, and timestamp() takes seconds: say minimum and maximum in the trigger's out_schema, or compare it first; and divide milliseconds by 1000"},
		`payload.any + 1`:                                             {warning: "nothing says of which type payload.any is, and of another one there are no parameters: say its type in the trigger's out_schema, add a condition such as one_of_types, or convert it by what takes any type, such as json.encode(payload.any)"},
		`10 / payload.rest`:                                           {problem: "payload.rest may be 0 by the trigger's out_schema, by which nothing can be divided: write payload.rest != 0 ? ... : ..., or add a condition such as greater_than 0"},
		`10 % payload.n`:                                              {warning: "payload.n may be 0"},
		`10 / (payload.some - 1)`:                                     {problem: "payload.some - 1 may be 0"},
		`10 / size(payload.few)`:                                      {problem: "size(payload.few) may be 0"},
		`10 / size(payload.items)`:                                    {warning: "size(payload.items) may be 0"},
		`10.0 / payload.price`:                                        {problem: "payload.price may be an integer or a number with a fraction by the trigger's out_schema, and / does not take all of these together", warning: "payload.price may be 0"},
		`int(payload.name)`:                                           {warning: "payload.name may be a text that int() does not read: say its type or a pattern, such as ^[0-9]{1,18}$, in the trigger's out_schema"},
		`timestamp(payload.name)`:                                     {warning: "payload.name may be a text that timestamp() does not read: say format: date-time"},
		`duration(payload.span)`:                                      {problem: "payload.span has a duration of ISO 8601"},
		`payload.name.substring(0, 5)`:                                {warning: "payload.name may not go as far as 5: compare with size(payload.name) first"},
		`payload.name.split(",")[1]`:                                  {warning: `may have no element 1`},
		`double(payload[?"price"].orValue(0)) + 1.0`:                  {problem: "payload[?\"price\"].orValue(0) may be a number with a fraction, and double takes it to be an integer, as its default is: write dyn(payload[?\"price\"].orValue(0))"},
		`json.parse(payload.name)`:                                    {warning: "payload.name may be no JSON"},
		`payload.name.matches(payload.name)`:                          {warning: "payload.name may be no regular expression"},
		`payload.items.map(i, i.note)`:                                {warning: "i.note may be missing by the trigger's out_schema"},
		`payload.items.filter(i, i.qty > 1)[0]`:                       {warning: "payload.items.filter(i, i.qty > 1) may have no element 0: write payload.items.filter(i, i.qty > 1)[?0].orValue(...)"},
		`payload.few[0] > 1 ? payload.few[0] : 0`:                     {problem: "payload.few may have no element 0"},
		`payload.name == "a" ? payload.few[0] : 0`:                    {warning: "payload.few may have no element 0"},
		`payload.?closed.a`:                                           {problem: "may have no value by the trigger's out_schema: give it a default by .orValue(...)"},
		`size(payload.few) > 0 ? payload.few[1] : 0`:                  {warning: "payload.few may have no element 1"},
		`size(payload.few) > 0 || payload.n > 1 ? payload.few[0] : 0`: {warning: "payload.few may have no element 0"},
		`payload.two.map(x, payload.few[0])`:                          {warning: "payload.few may have no element 0"},
	} {
		t.Run(template, func(t *testing.T) {
			t.Parallel()
			wrong, odd := checked(t, stock, sensor.Rule{}, template)
			requireSays(t, wrong, c.problem)
			requireSays(t, odd, c.warning)
		})
	}
}

// checked checks a rule with one parameter.
func checked(t *testing.T, schema string, of sensor.Rule, template string) (wrong, odd *rule.Invalid) {
	t.Helper()
	var err error
	of.Ref = "shop.r"
	of.ActionParams, err = json.Marshal(map[string]string{"id": "{{ " + template + " }}"})
	require.NoError(t, err)
	if of.Conditions == nil {
		of.Conditions = json.RawMessage(`[]`)
	}
	compiled, err := rule.Compile(&of)
	require.NoError(t, err)
	return compiled.Check(expression.NewSchema(json.RawMessage(schema)))
}

// Nothing is said of what is provided for.
func TestCheckKnowsWhatIsProvidedFor(t *testing.T) {
	t.Parallel()
	for _, template := range []string{
		`payload.two[0] + payload.two[1]`, `payload.pair[0] + string(payload.pair[1] + 1)`, `payload.few[?0].orValue(0)`, `double(dyn(payload[?"price"].orValue(0))) + 1.0`, `payload[?"price"].orValue(0) > 1.5`, `double(payload.?price.orValue(0))`, `payload.?closed.hasValue() ? payload.closed.a : ""`, `has(payload.closed) ? 10 / size(payload.closed) : 0`, `payload.?closed.a.orValue("")`,
		`size(payload.few) > 0 ? payload.few[0] : 0`, `payload.few.size() >= 1 ? payload.few[0] : 0`, `0 < size(payload.few) ? payload.few[0] : 0`,
		`size(payload.few) == 0 ? 0 : payload.few[0]`, `size(payload.few) != 0 ? payload.few[0] : 0`, `payload.few != [] ? payload.few[0] : 0`,
		`!(size(payload.few) < 2) ? payload.few[1] : 0`, `size(payload.few) > 1 && payload.few[1] > 0`, `size(payload.few) == 0 || payload.few[0] > 0`,
		`size(payload.few) == 2 && payload.n > 0 ? payload.few[1] : 0`, `payload.few.exists(x, x > 1) ? payload.few[0] : 0`, `1 in payload.few ? payload.few[0] : 0`,
		`timestamp(payload.rest)`, `timestamp(payload.ms / 1000)`, `payload.rest < 5 ? timestamp(payload.n > 0 && payload.n < 9 ? payload.n : 0) : null`, `size(payload.two) == 2 ? "" : payload.two[2]`, `payload.few[?1].hasValue() ? payload.few[0] + payload.few[1] : 0`, `has(payload.closed) ? payload.name : null`, `has(payload.closed) ? payload.name : 0`,
		`optional.of(payload.name).orValue(null)`, `payload.two + payload.few`, `payload.two[size(payload.two) - 1]`, `payload.two[size(payload.two) - 2]`, `payload.i < size(payload.two) ? payload.two[payload.i] : ""`,
		`payload.n >= 0 && payload.n < size(payload.two) ? payload.two[payload.n] : ""`, `payload.few.first().orValue(0)`, `payload.two.first().value()`,
		`lists.range(size(payload.few)).map(i, payload.few[i])`, `payload.few.all(i, x, payload.few[i] == x)`,
		`payload.name in payload.map ? payload.map[payload.name] : 0`, `payload.map[?payload.name].orValue(0)`, `payload.map.map(k, payload.map[k])`, `payload.map.all(k, v, v > 1)`,
		`type(payload.mixed) == string ? payload.mixed.size() : payload.mixed + 1`, `type(payload.mixed) == int && payload.mixed > 3`, `string(payload.mixed)`,
		`type(payload.mixed) != int || payload.mixed + 1 > 3`, `payload.mixed == "a"`, `payload.mixed in ["a", 1]`, `payload.mixed == 3 ? payload.mixed + 1 : 0`,
		`double(payload.price) * 2.0`, `payload.price > 3`, `payload.price == 3`, `type(payload.any) == int ? payload.any + 1 : 0`, `json.encode(payload.any)`,
		`10 / payload.some`, `payload.rest == 0 ? 0 : 10 / payload.rest`, `payload.n != 0 && 10 / payload.n > 1`, `payload.n > 0 ? 10 / payload.n : 0`, `payload.n < 0 ? 10 / payload.n : 0`,
		`10 / (payload.rest + 1)`, `10 / size(payload.two)`, `size(payload.few) > 0 ? 10 / size(payload.few) : 0`, `payload.n % 7`, `payload.n / -2`, `payload.n in [1, 2] ? 4 / payload.n : 0`,
		`int(payload.digits) + 1`, `timestamp(payload.when) + duration("1h")`, `timestamp(payload.when).getHours("Europe/Berlin")`, `int(payload.price)`, `string(payload.n)`,
		`payload.name.split(",")[0]`, `payload.name.startsWith("a") ? payload.name.upperAscii() : ""`, `size(payload.name) >= 5 ? payload.name.substring(0, 5) : payload.name`,
		`payload.name.matches("^a+$") && payload.name.contains("b")`, `"%s: %d".format([payload.name, payload.n])`, `regex.replace(payload.name, "a+", "b")`,
		`payload.items.map(i, i.sku).join(", ")`, `payload.items.filter(i, has(i.note)).map(i, i.note)`, `payload.items.filter(i, i.qty > 0).map(i, 10 / i.qty)`,
		`size(payload.items) > 0 ? payload.items[0].sku : "none"`, `payload.items.map(i, {"sku": i.sku, "n": i.qty})`, `payload.few.map(x, x * 2).filter(x, x > 2).size() + 1`,
		`payload.few.sort()`, `payload.two.join(",")`, `payload.?any.optMap(a, string(type(a) == string ? a : "")).orValue("")`, `payload.items[?0].?note.orValue("")`,
		`{"up": 1, "down": 2}[payload.state]`, `payload.state == "up" ? "yes" : "no"`, `[1, "a"][0] + 1`, `payload.few == [] ? 0 : payload.few[0]`,
		`event.id + 1`, `event.created`, `timestamp(event.created).getFullYear()`, `trigger.ref + rule.label + sensor.ref`, `sensor.config.repository.name`, `config.sensor.config.x`,
		`has(event.occurred_at) ? event.occurred_at : event.created`, `payload.name != null && payload.name != ""`,
	} {
		t.Run(template, func(t *testing.T) {
			t.Parallel()
			wrong, odd := checked(t, stock, sensor.Rule{}, template)
			require.Nil(t, wrong)
			require.Nil(t, odd)
		})
	}
}

// What the conditions and the expression say of the events that a rule matches counts.
func TestCheckKnowsWhatTheRuleMatches(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		conditions, cel, template string
		problem                   string
	}{
		"length":               {`[{"field": "few", "operator": "length_greater_or_equal", "value": 2}]`, ``, `payload.few[1]`, ""},
		"length, too short":    {`[{"field": "few", "operator": "length_greater_or_equal", "value": 2}]`, ``, `payload.few[2]`, "payload.few may have no element 2"},
		"length greater":       {`[{"field": "few", "operator": "length_greater_than", "value": 1}]`, ``, `payload.few[1]`, ""},
		"length equal":         {`[{"field": "few", "operator": "length_equals", "value": 1}]`, ``, `payload.few[0]`, ""},
		"length equal, beyond": {`[{"field": "few", "operator": "length_equals", "value": 1}]`, ``, `payload.few[1]`, "payload.few has no element 1: it has 1 at most"},
		"not shorter":          {`[{"not": {"field": "few", "operator": "is_empty"}}]`, ``, `payload.few[0]`, ""},
		"not null":             {`[{"not": {"field": "maybe", "operator": "is_null"}}]`, ``, `payload.maybe + 1`, ""},
		"different from null":  {`[{"field": "maybe", "operator": "not_equals", "value": null}]`, ``, `payload.maybe + 1`, ""},
		"none of a type":       {`[{"not": {"field": "maybe", "operator": "one_of_types", "value": ["null", "string"]}}]`, ``, `payload.maybe + 1`, ""},
		"no integer":           {`[{"not": {"field": "mixed", "operator": "one_of_types", "value": ["integer"]}}]`, ``, `payload.mixed + "x"`, "payload.mixed may be an integer"},
		"not in":               {`[{"field": "rest", "operator": "not_in", "value": ["a", 0.0]}]`, ``, `10 / payload.rest`, ""},
		"in":                   {`[{"field": "rest", "operator": "in", "value": [5, 7]}]`, ``, `10 / payload.rest`, ""},
		"in, with zero":        {`[{"field": "rest", "operator": "in", "value": [0, 7]}]`, ``, `10 / payload.rest`, "payload.rest may be 0"},
		"different from zero":  {`[{"field": "rest", "operator": "not_equals", "value": 0}]`, ``, `10 / payload.rest`, ""},
		"not zero":             {`[{"not": {"field": "rest", "operator": "equals", "value": 0.0}}]`, ``, `10 / payload.rest`, ""},
		"not less or equal":    {`[{"not": {"field": "rest", "operator": "less_or_equal", "value": 0}}]`, ``, `10 / payload.rest`, ""},
		"not less":             {`[{"not": {"field": "rest", "operator": "less_than", "value": 0}}]`, ``, `10 / payload.rest`, "payload.rest may be 0"},
		"neither nor":          {`[{"not": {"any": [{"field": "rest", "operator": "equals", "value": 0}, {"field": "few", "operator": "length_less_than", "value": 1}]}}]`, ``, `payload.few[0] / payload.rest`, ""},
		"not both":             {`[{"not": {"all": [{"field": "rest", "operator": "equals", "value": 0}, {"field": "few", "operator": "is_empty"}]}}]`, ``, `10 / payload.rest`, "payload.rest may be 0"},
		"not length 0":         {`[{"not": {"field": "few", "operator": "length_equals", "value": 0}}]`, ``, `payload.few[0]`, ""},
		"not so long":          {`[{"not": {"field": "few", "operator": "length_greater_or_equal", "value": 2}}]`, ``, `payload.few[2]`, "payload.few has no element 2: it has 1 at most"},
		"empty":                {`[{"field": "few", "operator": "is_empty"}]`, ``, `payload.name`, ""},
		"an element":           {`[{"field": "few", "operator": "any", "value": {"field": "item", "operator": "greater_than", "value": 1}}]`, ``, `payload.few[0]`, ""},
		"no element":           {`[{"field": "few", "operator": "none", "value": {"field": "item", "operator": "greater_than", "value": 1}}]`, ``, `payload.few[0]`, "payload.few may have no element 0"},
		"all elements":         {`[{"field": "few", "operator": "all", "value": {"field": "item", "operator": "greater_than", "value": 1}}]`, ``, `payload.few[0]`, "payload.few may have no element 0"},
		"some element":         {`[{"field": "few.*", "operator": "greater_than", "value": 1}]`, ``, `payload.few[0]`, ""},
		"no such element":      {`[{"field": "few.*", "operator": "not_equals", "value": 1}]`, ``, `payload.few[0]`, "payload.few may have no element 0"},
		"an element by index":  {`[{"field": "items[1].note", "operator": "exists"}]`, ``, `payload.items[0].sku + payload.items[1].note`, ""},
		"contains":             {`[{"field": "items[0].note", "operator": "contains", "value": "x"}]`, ``, `payload.items[0].note`, ""},
		"greater":              {`[{"field": "n", "operator": "greater_than", "value": 0}]`, ``, `10 / payload.n`, ""},
		"less":                 {`[{"field": "rest", "operator": "less_than", "value": 5}]`, ``, `10 / payload.rest`, "payload.rest may be 0"},
		"between":              {`[{"field": "rest", "operator": "between", "value": [1, 5]}]`, ``, `10 / payload.rest`, ""},
		"equal":                {`[{"field": "rest", "operator": "equals", "value": 5}]`, ``, `10 / payload.rest`, ""},
		"type":                 {`[{"field": "mixed", "operator": "one_of_types", "value": ["string"]}]`, ``, `payload.mixed + "x"`, ""},
		"type of an operator":  {`[{"field": "mixed", "operator": "starts_with", "value": "a"}]`, ``, `payload.mixed + "x"`, ""},
		"type by one of two":   {`[{"any": [{"field": "mixed", "operator": "starts_with", "value": "a"}, {"field": "mixed", "operator": "equals", "value": 1}]}]`, ``, `payload.mixed + "x"`, "payload.mixed may be an integer"},
		"expression: size":     {`[]`, `size(payload.few) > 1`, `payload.few[1]`, ""},
		"expression: no zero":  {`[]`, `payload.rest != 0 && payload.name == "a"`, `10 / payload.rest`, ""},
		"expression: type":     {`[]`, `type(payload.mixed) == int`, `payload.mixed + 1`, ""},
		"expression: key":      {`[]`, `payload.name in payload.map`, `payload.map[payload.name]`, ""},
		"expression: either":   {`[]`, `size(payload.few) > 1 || payload.name == "a"`, `payload.few[1]`, "payload.few may have no element 1"},
		"expression: not":      {`[]`, `!(payload.rest == 0)`, `10 / payload.rest`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wrong, odd := checked(t, stock, sensor.Rule{Conditions: json.RawMessage(c.conditions), CEL: c.cel}, c.template)
			requireSays(t, wrong, c.problem)
			require.Nil(t, odd)
		})
	}
}

// What a rule asks of a number does not say that it may have a fraction.
func TestCheckOfNumbersWithoutSchema(t *testing.T) {
	t.Parallel()
	for _, of := range []sensor.Rule{{CEL: `payload.n < 4`}, {Conditions: json.RawMessage(`[{"field": "n", "operator": "less_than", "value": 4}]`)}} {
		wrong, odd := checked(t, `{}`, of, `payload.n * 2`)
		require.Nil(t, wrong)
		require.ErrorContains(t, odd, "nothing says of which type payload.n is")
		wrong, odd = checked(t, `{}`, of, `double(payload.n) * 2.0`)
		require.Nil(t, wrong)
		require.Nil(t, odd)
	}
}

// An expression that has no result does not hold: a warning says so if the schema allows that.
func TestCheckOfConditionsThatMayFail(t *testing.T) {
	t.Parallel()
	for cel, c := range map[string]struct{ problem, warning string }{
		`payload.few[0] > 1`:                          {warning: "cel: line 1, column 12: payload.few may have no element 0 by the trigger's out_schema, and then the expression does not hold: write payload.few[?0]"},
		`payload.two[4] == ""`:                        {problem: "payload.two has no element 4"},
		`payload.mixed > 1`:                           {warning: "payload.mixed may be a text by the trigger's out_schema, which > does not take, and then the expression does not hold"},
		`10 / payload.rest > 1`:                       {warning: "payload.rest may be 0 by the trigger's out_schema, by which nothing can be divided, and then the expression does not hold"},
		`int(payload.name) > 1`:                       {warning: "payload.name may be a text that int() does not read, and then the expression does not hold"},
		`payload.items[0].qty > 1`:                    {},
		`payload.any > 1`:                             {},
		`payload.few[0] > 1 || payload.name == "a"`:   {warning: "payload.few may have no element 0"},
		`size(payload.few) > 0 && payload.few[0] > 1`: {},
		`payload.state`:                               {problem: ""},
	} {
		compiled, err := rule.Compile(&sensor.Rule{Ref: "shop.r", Conditions: json.RawMessage(`[]`), CEL: cel})
		require.NoError(t, err)
		wrong, odd := compiled.Check(expression.NewSchema(json.RawMessage(stock)))
		if cel == `payload.state` {
			require.ErrorContains(t, odd, "payload.state may be a text by the trigger's out_schema, which a condition does not take")
			continue
		}
		requireSays(t, wrong, c.problem)
		requireSays(t, odd, c.warning)
	}
}

// How many events a match stands for is for the throttle to say, and what they are for the schema.
func TestCheckOfGroups(t *testing.T) {
	t.Parallel()
	const three, once, after = `{"at_least": 3, "within": "10m"}`, `{"once_within": "15m"}`, `{"once_after": "5m", "group_by": ["name"]}`
	for name, c := range map[string]struct{ throttle, template, problem, warning string }{
		"as many as it takes":   {three, `events[2].payload.name`, "", ""},
		"more than it takes":    {three, `events[3].payload.name`, "events may have no element 3 by the rule's throttle or correlation: write events[?3].orValue(...), or size(events) > 3 ? ... : ..., or look at payload, which is the last event's", ""},
		"never so many":         {three, `events[100].payload.name`, "events has no element 100: it has 100 at most by the rule's throttle or correlation", ""},
		"one":                   {once, `events[0].payload.name`, "", ""},
		"only one":              {once, `events[1].payload.name`, "events has no element 1: it has 1 at most", ""},
		"the last one":          {after, `events[size(events) - 1].payload.name`, "", ""},
		"with a default":        {after, `events[?1].payload.name.orValue("")`, "", ""},
		"of each":               {after, `events.map(e, e.payload.name)`, "", ""},
		"optional of each":      {after, `events.map(e, e.payload.closed)`, "", "e.payload.closed may be missing"},
		"a slip":                {after, `events[0].payload.nam`, "", `events[0].payload has no field named "nam" by the trigger's out_schema: did you mean "name"?`},
		"a division":            {three, `10 / (group.count - 1)`, "", ""},
		"a division that fails": {after, `10 / (group.count - 1)`, "group.count - 1 may be 0", ""},
		"guarded":               {after, `group.count > 1 ? 10 / (group.count - 1) : 0`, "", ""},
		"time":                  {after, `timestamp(group.until) - timestamp(group.since)`, "", ""},
		"group by":              {after, `group.by.name`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wrong, odd := checked(t, stock, sensor.Rule{Throttle: json.RawMessage(c.throttle)}, c.template)
			requireSays(t, wrong, c.problem)
			requireSays(t, odd, c.warning)
		})
	}
}

// A parameter of the action that this service carries out itself must be what that action takes.
func TestCheckOfTemporalAction(t *testing.T) {
	t.Parallel()
	for params, c := range map[string]struct{ problem, warning string }{
		`{"operation": "start", "workflow": "W", "task_queue": "q", "id": "x-{{ payload.n }}"}`:         {},
		`{"operation": "start", "workflow": "W", "task_queue": "q", "id": "{{ payload.name }}"}`:        {},
		`{"operation": "start", "workflow": "W", "task_queue": "q", "id": "{{ payload.n }}"}`:           {problem: "action.params.id: line 1, column 11: payload.n may be an integer by the trigger's out_schema, which the parameter does not take: convert it, such as string(payload.n)"},
		`{"operation": "start", "workflow": "{{ payload.state }}", "task_queue": "q"}`:                  {},
		`{"operation": "start", "workflow": "{{ payload.name }}", "task_queue": "q"}`:                   {warning: "payload.name may be empty, and the parameter must not be"},
		`{"operation": "signal", "id": "{{ payload.mixed }}", "name": "s", "input": "{{ payload.n }}"}`: {problem: "payload.mixed may be an integer", warning: "payload.mixed may be empty"},
	} {
		compiled, err := rule.Compile(&sensor.Rule{Ref: "shop.r", Conditions: json.RawMessage(`[]`), ActionRef: sensor.ActionTemporal, ActionParams: json.RawMessage(params)})
		require.NoError(t, err)
		wrong, odd := compiled.Check(expression.NewSchema(json.RawMessage(stock)))
		requireSays(t, wrong, c.problem)
		requireSays(t, odd, c.warning)
	}
}

// What a schema says in ways that are not looked at is neither relied on nor held against a rule.
func TestCheckOfSchemasThatAreNotPlain(t *testing.T) {
	t.Parallel()
	const unsaid = "nothing says of which type"
	for name, c := range map[string]struct{ schema, conditions, template, warning string }{
		"anchor":            {`{"type": "object", "required": ["x"], "properties": {"x": {"$ref": "#item"}}, "$defs": {"i": {"$anchor": "item", "type": "string"}}}`, `[]`, `payload.x + "a"`, unsaid},
		"part with an $id":  {`{"type": "object", "required": ["x"], "properties": {"x": {"$id": "https://x.example/x", "type": "object", "required": ["q"], "properties": {"q": {"$ref": "#/$defs/q"}}, "$defs": {"q": {"type": "string"}}}}, "$defs": {"q": {"type": "integer"}}}`, `[]`, `payload.x.q + 1`, unsaid},
		"pattern":           {`{"type": "object", "required": ["x_a"], "patternProperties": {"^x_": {"type": "string"}}, "additionalProperties": {"type": "integer"}}`, `[]`, `payload.x_a + 1`, unsaid},
		"no type: object":   {`{"required": ["x"], "properties": {"x": {"required": ["a"], "properties": {"a": {"type": "string"}}}}}`, `[]`, `payload.x.a`, unsaid},
		"no type: list":     {`{"required": ["x"], "properties": {"x": {"items": {"type": "string"}, "minItems": 1}}}`, `[]`, `payload.x[0]`, unsaid},
		"one of objects":    {either, `[{"field": "k", "operator": "equals", "value": "a"}]`, `payload.n + 1`, "payload.n may be missing"},
		"types of each":     {either, `[{"field": "k", "operator": "equals", "value": "a"}]`, `payload.v + 1`, "payload.v may be a text"},
		"an object or null": {`{"type": "object", "required": ["x"], "properties": {"x": {"anyOf": [{"type": "null"}, {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}}]}}}`, `[{"field": "x.a", "operator": "exists"}]`, `payload.x.a`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wrong, odd := checked(t, c.schema, sensor.Rule{Conditions: json.RawMessage(c.conditions)}, c.template)
			require.Nil(t, wrong)
			requireSays(t, odd, c.warning)
		})
	}
}

// either is a schema of objects of two kinds, of which k says which.
const either = `{"type": "object", "required": ["k"], "oneOf": [
	{"type": "object", "required": ["n", "v"], "properties": {"k": {"const": "a"}, "n": {"type": "integer"}, "v": {"type": "integer"}}},
	{"type": "object", "required": ["v"], "properties": {"k": {"const": "b"}, "v": {"type": "string"}}}]}`

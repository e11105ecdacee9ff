package condition

import "strings"

func (c *compiler) clause(path string, values map[string]Value, depth int) condition {
	clause := &clause{value: values["value"]}
	defer func(outer string) { c.label = outer }(c.label)
	c.label = ""
	if field, ok := c.text(path, "field", "name one, such as payload.branch", values); ok {
		clause.field, clause.path = field, c.path(childPath(path, "field"), field)
		if c.inside > 0 && clause.path.root != item {
			c.report(childPath(path, "field"), "%s is not of the element: begin with item here, and put what concerns the rest of the event beside the clause",
				abbreviate(field))
		}
		c.label = shorten(field)
	}
	if clause.value.kind() != kindMissing {
		c.literal(childPath(path, "value"), clause.value, 0)
	}
	name, ok := c.text(path, "operator", "name one; "+common, values)
	if !ok {
		return nil
	}
	operator, err := findOperator(name)
	if err != nil {
		c.report(childPath(path, "operator"), "%v", err)
		return nil
	}
	clause.operator = operator
	c.label = strings.TrimSpace(c.label + " " + operator.name)
	if c.options(path, clause, values); c.operand(path, clause, values) {
		c.test(path, clause, values, depth)
	}
	return clause
}

// path parses a field's path and notes where it begins.
func (c *compiler) path(place, field string) path {
	p, err := parsePath(field, c.inside > 0)
	if err != nil {
		c.report(place, "%v", err)
	}
	c.uses[p.root] = true
	return p
}

// options reads what a clause may have besides.
func (c *compiler) options(path string, clause *clause, values map[string]Value) {
	name := clause.operator.name
	if v := values["ignore_case"]; v.kind() != kindMissing {
		place := childPath(path, "ignore_case")
		clause.ignoreCase = v.raw() == "true"
		switch {
		case v.kind() != kindBoolean:
			c.report(place, "%v", wantKind(kindBoolean, v))
		case clause.ignoreCase && !clause.operator.takes.has(takesCase):
			c.report(place, "%s has no text to compare, or has its own rule for case: remove it", name)
		}
	}
	if v := values["condition"]; v.kind() != kindMissing && !clause.operator.takes.has(takesCondition) {
		c.report(childPath(path, "condition"), "is for the operator search: remove it")
	}
	if v := values["value_from"]; v.kind() != kindMissing {
		c.source(childPath(path, "value_from"), clause, v)
	}
}

// source reads value_from.
func (c *compiler) source(place string, clause *clause, v Value) {
	switch {
	case !clause.operator.takes.has(takesFrom | takesReference):
		c.report(place, "%s does not compare with another field: write a value", clause.operator.name)
	case v.kind() != kindString:
		c.report(place, "%v; name a field, such as payload.other", wantKind(kindString, v))
	default:
		from := &source{field: v.str()}
		if from.path = c.path(place, from.field); from.path.wildcard {
			c.report(place, "%s leads to several values: name a single one; to choose from a list, use in with the list itself", abbreviate(from.field))
		}
		c.outer = c.outer || from.path.root != item
		clause.from = from
	}
}

// operand reports whether the clause has the value that its operator needs, and none that it does not.
func (c *compiler) operand(path string, clause *clause, values map[string]Value) bool {
	place := childPath(path, "value")
	takes, has := clause.operator.takes, clause.value.kind() != kindMissing
	_, from := values["value_from"]
	switch alone := !takes.has(takesValue) && !takes.has(takesItems); {
	case alone && has && clause.value.raw() != "true":
		c.report(place, "%s takes no value: remove it", clause.operator.name)
		return false
	case alone:
		clause.value = Value{}
	case has && from && !takes.has(takesReference):
		c.report(place, "stands beside value_from: remove one of them")
		return false
	case !has && from && !takes.has(takesReference):
		return takes.has(takesFrom)
	case !has && takes.has(takesItems):
		c.report(place, "is missing: write the condition, or the list of conditions, for an element, with fields such as item.name")
		return false
	case !has:
		c.report(place, "is missing: write the value to compare with; null is one")
		return false
	}
	return true
}

// test builds the clause's test, as far as that is known before there is an event.
func (c *compiler) test(path string, clause *clause, values map[string]Value, depth int) {
	place := childPath(path, "value")
	switch {
	case clause.operator.takes.has(takesItems):
		clause.test = c.quantifier(path, clause, values, depth)
	case clause.from != nil && !clause.operator.takes.has(takesReference):
		return
	default:
		var err error
		if clause.test, err = clause.operator.build(operand{value: clause.value, fold: clause.ignoreCase}); err != nil {
			c.report(place, "%v", err)
		}
		c.instructions += clause.test.program
	}
	if clause.test.needsNow {
		c.uses[Event] = true
	}
	if clause.test.program > 0 {
		c.matching = append(c.matching, clause)
	}
}

// quantifier compiles the conditions that a list's elements are to satisfy.
func (c *compiler) quantifier(path string, clause *clause, values map[string]Value, depth int) test {
	place := childPath(path, "value")
	q := &quantifier{every: clause.operator.name == "all", conditions: group{mode: All}}
	takes := setOf(kindList)
	if clause.operator.takes.has(takesCondition) {
		clause.condition, q.every, q.conditions.mode = c.search(path, values)
		takes |= setOf(kindObject)
	}
	if depth++; depth > MaxDepth {
		c.report(place, "nested deeper than %d", MaxDepth)
		return test{}
	}
	before, outer := c.instructions, c.outer
	c.inside, c.outer = c.inside+1, false
	q.conditions.conditions = c.items(place, clause.value, clause.operator.takes.has(takesCondition), depth)
	q.outer = c.outer
	c.inside, c.outer = c.inside-1, outer || c.outer
	return test{takes: takes, each: q, program: c.instructions - before}
}

// items compiles the conditions of a quantifier: a list, a single one, or what StackStorm's search has.
func (c *compiler) items(place string, v Value, patterns bool, depth int) []condition {
	switch {
	case v.kind() == kindList:
		if _, some := v.first(); !some {
			c.report(place, "is empty: write a condition for an element, such as %s", itemShape)
		}
		return c.list(place, v, depth)
	case v.kind() == kindObject && patterns && !c.isCondition(v):
		return c.patterns(place, v, depth)
	case v.kind() == kindObject:
		if !c.admit(1) {
			return nil
		}
		return []condition{c.condition(place, v, depth)}
	default:
		c.report(place, "%v; write a condition for an element, such as %s", wantKind(kindObject, v), itemShape)
		return nil
	}
}

const itemShape = `{"field": "item.name", "operator": "equals", "value": "x"}`

// isCondition reports whether an object is a clause or a group.
func (c *compiler) isCondition(v Value) bool {
	for _, key := range append([]string{"all", "any", "not"}, clauseKeys...) {
		if v.member(key).kind() != kindMissing {
			return true
		}
	}
	return false
}

// text returns the string that a clause has under the key.
func (c *compiler) text(path, key, remedy string, values map[string]Value) (string, bool) {
	v := values[key]
	switch v.kind() {
	case kindMissing:
		c.report(childPath(path, key), "is missing: %s", remedy)
	case kindString:
		return v.str(), true
	default:
		c.report(childPath(path, key), "%v; %s", wantKind(kindString, v), remedy)
	}
	return "", false
}

// quoted is the value of a text that is no part of the rule as it is written.
func quoted(text string) Value {
	return Value{doc: &document{
		text: `"` + text + `"`, nodes: []node{{start: 1, end: int32(len(text)) + 1, next: 1, kind: kindString}},
	}}
}

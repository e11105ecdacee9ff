package condition

import "strings"

func (c *compiler) clause(path string, values map[string]Value) condition {
	clause := &clause{value: values["value"]}
	if field, ok := c.text(path, "field", "name one, such as payload.branch", values); ok {
		p, err := parsePath(field)
		if err != nil {
			c.report(childPath(path, "field"), "%v", err)
		}
		clause.field, clause.path = field, p
		c.uses[p.root] = true
	}
	c.value(childPath(path, "value"), clause.value)
	name, ok := c.text(path, "operator", "name one of "+strings.Join(Operators(), ", "), values)
	if !ok {
		return nil
	}
	operator, err := findOperator(name)
	if err != nil {
		c.report(childPath(path, "operator"), "%v", err)
		return nil
	}
	if clause.value.kind() == kindMissing {
		return nil
	}
	clause.operator = operator
	if clause.test, err = operator.build(clause.value); err != nil {
		c.report(childPath(path, "value"), "%v", err)
	}
	if clause.test.program > 0 {
		c.instructions += clause.test.program
		c.matching = append(c.matching, clause)
	}
	return clause
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

package condition

// A literal is a value written in a condition, prepared for many comparisons.
type literal struct {
	kind    kind
	text    string // a string's characters, or true or false
	number  number
	items   []literal
	members map[string]literal
}

func newLiteral(v Value) literal {
	l := literal{kind: v.kind()}
	switch l.kind {
	case kindBoolean:
		l.text = v.raw()
	case kindNumber:
		l.number = parseNumber(v.raw())
	case kindString:
		l.text = v.str()
	case kindList:
		for e, ok := v.first(); ok; e, ok = e.after(v) {
			l.items = append(l.items, newLiteral(e))
		}
	case kindObject:
		l.members = map[string]literal{}
		for key, ok := v.first(); ok; {
			value := key.value()
			l.members[key.str()] = newLiteral(value)
			key, ok = value.after(v)
		}
	}
	return l
}

// equals reports whether v is the same JSON: objects regardless of the order of their keys,
// numbers by exact value, and nothing across types.
func (l *literal) equals(v Value) bool {
	if l.kind != v.kind() {
		return false
	}
	switch l.kind {
	case kindBoolean:
		return v.raw() == l.text
	case kindNumber:
		return compareNumbers(parseNumber(v.raw()), l.number) == 0
	case kindString:
		return v.is(l.text)
	case kindList:
		return l.equalsList(v)
	case kindObject:
		return l.equalsObject(v)
	default:
		return true
	}
}

func (l *literal) equalsList(v Value) bool {
	i := 0
	for e, ok := v.first(); ok; e, ok = e.after(v) {
		if i == len(l.items) || !l.items[i].equals(e) {
			return false
		}
		i++
	}
	return i == len(l.items)
}

// equalsObject compares with the last value of every key: earlier ones of a repeated key don't count.
func (l *literal) equalsObject(v Value) bool {
	last := make(map[string]Value, len(l.members))
	for key, ok := v.first(); ok; {
		name, value := key.str(), key.value()
		if _, known := l.members[name]; !known {
			return false
		}
		last[name] = value
		key, ok = value.after(v)
	}
	if len(last) != len(l.members) {
		return false
	}
	for name, value := range last {
		if want := l.members[name]; !want.equals(value) {
			return false
		}
	}
	return true
}

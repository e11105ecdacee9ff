package rule_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// A phraser writes expressions in CEL about payloads of a schema. Most make sense, and many of those may fail.
type phraser struct {
	*rand.Rand
	ways  []way
	names []string // of variables, and what they are
	of    map[string]string
	// groups says that they also know group and events.
	groups bool
}

// path is a way to a value that may be of the type, or of any.
func (p *phraser) path(types string) string {
	for range 20 {
		if len(p.names) > 0 && p.IntN(2) == 0 {
			name := pick(p.Rand, p.names...)
			if strings.ContainsAny(p.of[name], types) || p.IntN(20) == 0 {
				return name
			}
			continue
		}
		w := pick(p.Rand, p.ways...)
		if strings.ContainsAny(w.types, types) || p.IntN(60) == 0 {
			if p.groups && p.IntN(3) == 0 {
				return pick(p.Rand, "events[0]", "events[1]", "events[2]", "events[size(events) - 1]") + ".payload" + w.path
			}
			return "payload" + w.path
		}
	}
	return "payload.a"
}

// guarded writes an expression, or one under a condition that seems to belong to it.
func (p *phraser) guarded(write func() string, otherwise string) string {
	text := write()
	if p.IntN(3) > 0 {
		return text
	}
	return fmt.Sprintf("(%s ? %s : %s)", p.guard(text), text, otherwise)
}

// guard asks for what an expression may need.
func (p *phraser) guard(text string) string {
	var asked []string
	for _, w := range p.ways {
		path := "payload" + w.path
		if !strings.Contains(text, path) {
			continue
		}
		i := strings.LastIndexAny(path, ".[")
		switch {
		case path[i] == '.':
			asked = append(asked, fmt.Sprintf("has(%s)", path), fmt.Sprintf("%q in %s", path[i+1:], path[:i]))
		default:
			asked = append(asked, fmt.Sprintf("size(%s) > %s", path[:i], strings.TrimSuffix(path[i+1:], "]")), fmt.Sprintf("%s.size() != 0", path[:i]))
		}
		asked = append(asked, path+" != null", fmt.Sprintf("type(%s) == %s", path, pick(p.Rand, "int", "string", "double", "list", "map")),
			path+" != 0", path+" > 0", fmt.Sprintf("%s.startsWith(\"a\")", path), fmt.Sprintf("%s in [1, 2]", path), fmt.Sprintf("%s == \"main\"", path))
	}
	if len(asked) == 0 {
		return p.boolean(2)
	}
	g := pick(p.Rand, asked...)
	for range p.IntN(3) {
		g += pick(p.Rand, " && ", " && ", " || ") + pick(p.Rand, asked...)
	}
	if p.IntN(8) == 0 {
		g = "!(" + g + ")"
	}
	return g
}

func (p *phraser) number(depth int) string {
	if depth > 3 {
		return pick(p.Rand, "1", "2", "0", "3.5")
	}
	n := func() string { return p.number(depth + 1) }
	return p.guarded(func() string {
		if p.groups && p.IntN(8) == 0 {
			return pick(p.Rand, "group.count", "size(events)", "(10 / (group.count - 1))", "(6 % (size(events) - 2))")
		}
		switch p.IntN(18) {
		case 16:
			return fmt.Sprintf("%s.charAt(%d).size()", p.atom(p.path("s")), p.IntN(2))
		case 17:
			return fmt.Sprintf("(timestamp(%s) - timestamp(%s)).getSeconds()", p.path("d"), p.path("d"))
		case 0, 1, 2, 3:
			return p.path("in")
		case 4:
			return p.path("n")
		case 5:
			return fmt.Sprintf("%s %s %s", n(), pick(p.Rand, "+", "-", "*", "/", "%"), n())
		case 6:
			return fmt.Sprintf("(%s %s %s)", p.path("i"), pick(p.Rand, "/", "%"), p.path("i"))
		case 7:
			return fmt.Sprintf("size(%s)", pick(p.Rand, p.path("lso"), p.list(depth+1), p.text(depth+1)))
		case 8:
			return fmt.Sprintf("int(%s)", pick(p.Rand, p.path("g"), p.text(depth+1), n()))
		case 9:
			return fmt.Sprintf("double(%s) %s 2.0", pick(p.Rand, p.path("n"), n()), pick(p.Rand, "*", "/", "+"))
		case 10:
			return fmt.Sprintf("(%s ? %s : %s)", p.boolean(depth+1), n(), n())
		case 11:
			return p.path("i") + " " + pick(p.Rand, "+ 1", "- 1", "* 2", "/ 2", "% 3")
		case 12:
			return fmt.Sprintf("%s(%s, %s)", pick(p.Rand, "math.greatest", "math.least"), n(), n())
		case 13:
			return fmt.Sprintf("(10 / (%s - 1))", pick(p.Rand, n(), fmt.Sprintf("size(%s)", p.path("l"))))
		case 14:
			return fmt.Sprintf("timestamp(%s).getHours()", p.path("d"))
		}
		return pick(p.Rand, "1", "2", "0", "-1", "2.5")
	}, "0")
}

func (p *phraser) text(depth int) string {
	if depth > 3 {
		return pick(p.Rand, `"a"`, `"main"`, `""`)
	}
	s := func() string { return p.text(depth + 1) }
	return p.guarded(func() string {
		switch p.IntN(18) {
		case 0, 1, 2, 3, 4:
			return p.path("s")
		case 5:
			return s() + " + " + s()
		case 6:
			return fmt.Sprintf("string(%s)", pick(p.Rand, p.number(depth+1), p.path("nsb")))
		case 7:
			return fmt.Sprintf("%s.%s()", p.atom(s()), pick(p.Rand, "upperAscii", "trim", "lowerAscii", "reverse"))
		case 8:
			return fmt.Sprintf("%s.join(\",\")", p.atom(p.list(depth+1)))
		case 9:
			return fmt.Sprintf("%s.split(%s)[%d]", p.atom(s()), pick(p.Rand, `","`, `""`), p.IntN(2))
		case 10:
			return fmt.Sprintf("%s.substring(%d)", p.atom(pick(p.Rand, s(), p.path("s"))), p.IntN(3))
		case 11:
			return fmt.Sprintf("%s.?a.orValue(%s)", p.path("o"), s())
		case 12:
			return fmt.Sprintf("payload[?%s].orValue(%s)", pick(p.Rand, `"a"`, `"b"`, s()), s())
		case 13:
			return fmt.Sprintf("json.encode(%s)", p.any(depth+1))
		case 14:
			return fmt.Sprintf("payload[%s]", pick(p.Rand, `"a"`, `"key"`, s()))
		case 15:
			return fmt.Sprintf("(%s ? %s : %s)", p.boolean(depth+1), s(), s())
		case 16:
			return fmt.Sprintf(`"%%s and %%d".format([%s, %s])`, p.any(depth+1), p.number(depth+1))
		}
		return pick(p.Rand, `"a"`, `"main"`, `""`)
	}, `""`)
}

// atom puts an expression in brackets.
func (p *phraser) atom(text string) string { return "(" + text + ")" }

func (p *phraser) boolean(depth int) string {
	if depth > 3 {
		return pick(p.Rand, "true", "false")
	}
	b := func() string { return p.boolean(depth + 1) }
	switch p.IntN(18) {
	case 0:
		return p.path("b")
	case 1, 2:
		return fmt.Sprintf("%s %s %s", p.number(depth+1), pick(p.Rand, "<", ">", "<=", ">=", "==", "!="), p.number(depth+1))
	case 3:
		return fmt.Sprintf("%s == %s", p.any(depth+1), p.any(depth+1))
	case 4, 5:
		return fmt.Sprintf("(%s %s %s)", b(), pick(p.Rand, "&&", "||"), b())
	case 6:
		return "!(" + b() + ")"
	case 7:
		return fmt.Sprintf("%s.%s(%s)", p.atom(p.text(depth+1)), pick(p.Rand, "startsWith", "contains", "endsWith", "matches"), pick(p.Rand, `"a"`, `"m"`, p.text(depth+1)))
	case 8, 9:
		text := pick(p.Rand, p.number(depth+1)+" > 0", p.text(depth+1)+` != ""`)
		return fmt.Sprintf("(%s && %s)", p.guard(text), text)
	case 10:
		text := pick(p.Rand, p.number(depth+1)+" > 0", p.text(depth+1)+` != ""`)
		return fmt.Sprintf("(%s && %s)", text, p.guard(text))
	case 11:
		return fmt.Sprintf("has(%s)", p.path("nsbli"))
	case 12:
		return fmt.Sprintf("%s in %s", p.any(depth+1), p.list(depth+1))
	case 13:
		list, name, of := p.looped(depth)
		return p.within(name, of, func() string {
			return fmt.Sprintf("%s.%s(%s, %s)", p.atom(list), pick(p.Rand, "all", "exists", "exists_one"), name, b())
		})
	case 14:
		return fmt.Sprintf("%s == null", p.path("0"))
	case 15:
		return fmt.Sprintf("%s.hasValue()", p.atom(p.optional()))
	}
	return pick(p.Rand, "true", "false", `payload.a != 3`)
}

// looped is a list, a name for its elements, and the types of these.
func (p *phraser) looped(depth int) (list, name, of string) {
	name = pick(p.Rand, "x", "y")
	list = p.list(depth + 1)
	for _, w := range p.ways {
		if list == "payload"+w.path {
			of = strings.ToLower(strings.TrimLeft(w.types, "lo"))
		}
	}
	return list, name, of + "s"
}

// within writes something in which a name is known.
func (p *phraser) within(name, of string, write func() string) string {
	inner := *p
	inner.names = append(p.names[:len(p.names):len(p.names)], name)
	inner.of = map[string]string{name: of}
	for n, t := range p.of {
		if n != name {
			inner.of[n] = t
		}
	}
	saved := *p
	*p = inner
	defer func() { *p = saved }()
	return write()
}

func (p *phraser) list(depth int) string {
	if depth > 3 {
		return pick(p.Rand, "[]", "[1, 2]", `["a"]`)
	}
	switch p.IntN(17) {
	case 14:
		list, name, of := p.looped(depth)
		return p.within(name, of, func() string {
			return fmt.Sprintf("%s.transformList(i, %s, %s)", p.atom(list), name, pick(p.Rand, "i", name, p.any(depth+1)))
		})
	case 15:
		list, name, of := p.looped(depth)
		return p.within(name, of, func() string {
			return fmt.Sprintf("%s.sortBy(%s, %s)", p.atom(list), name, pick(p.Rand, name, p.number(depth+1)))
		})
	case 16:
		if p.groups {
			return pick(p.Rand, "events.map(e, e.id)", "events.map(e, e.payload.a)", "events.filter(e, e.id > 0)")
		}
		object := p.path("o")
		return fmt.Sprintf("%s.map(k, %s[k])", object, object)
	case 0, 1, 2, 3, 4:
		return p.path("l")
	case 5, 6:
		list, name, of := p.looped(depth)
		return p.within(name, of, func() string {
			return fmt.Sprintf("%s.map(%s, %s)", p.atom(list), name, p.any(depth+1))
		})
	case 7, 8:
		list, name, of := p.looped(depth)
		return p.within(name, of, func() string {
			return fmt.Sprintf("%s.filter(%s, %s)", p.atom(list), name, p.boolean(depth+1))
		})
	case 9:
		return fmt.Sprintf("[%s, %s]", p.any(depth+1), p.any(depth+1))
	case 10:
		return fmt.Sprintf("%s + %s", p.list(depth+1), p.list(depth+1))
	case 11:
		return fmt.Sprintf("%s.%s", p.atom(p.list(depth+1)), pick(p.Rand, "distinct()", "reverse()", "sort()", "slice(0, 1)", "flatten()"))
	case 12:
		list := p.path("l")
		return fmt.Sprintf("lists.range(size(%s)).map(i, %s[i])", list, list)
	}
	return fmt.Sprintf("%s.split(\",\")", p.atom(p.text(depth+1)))
}

func (p *phraser) optional() string {
	return pick(p.Rand, "payload.?a", "payload.?key.b", p.path("o")+pick(p.Rand, ".?a", ".?key"), fmt.Sprintf("%s[?%d]", p.path("l"), p.IntN(2)), fmt.Sprintf("%s.first()", p.path("l")),
		fmt.Sprintf("optional.of(%s)", p.path("si")))
}

func (p *phraser) any(depth int) string {
	if depth > 3 {
		return pick(p.Rand, "1", `"x"`, "true", "null")
	}
	switch p.IntN(12) {
	case 0, 1:
		return p.number(depth)
	case 2, 3:
		return p.text(depth)
	case 4:
		return p.boolean(depth)
	case 5:
		return p.list(depth)
	case 6:
		return fmt.Sprintf(`{"k": %s, "v": %s}`, p.any(depth+1), p.any(depth+1))
	case 7:
		list := p.path("l")
		return fmt.Sprintf("%s[%s]", list, pick(p.Rand, "0", "size("+list+") - 1", p.number(depth+1)))
	case 8:
		return fmt.Sprintf("%s.%s", p.atom(p.optional()), pick(p.Rand, "orValue(null)", "value()", fmt.Sprintf("optMap(v, %s).orValue(0)", pick(p.Rand, "v", "v + 1", "size(v)"))))
	case 9:
		return fmt.Sprintf(`{"k": %s}.k`, p.any(depth+1))
	}
	return p.path("nsbilo0")
}

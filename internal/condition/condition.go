// Package condition is the language in which a rule says which events it is for.
//
// A rule has a list of conditions and a mode that combines it. A condition is a clause, such
// as {"field": "payload.branch", "operator": "equals", "value": "main"}, or a group that
// nests others: {"all": [...]}, {"any": [...]} or {"not": {...}}. Compile checks a rule's
// conditions and prepares them, Program.Match evaluates them, and Program.Explain says clause
// by clause why they match or don't.
//
// A field is a path: payload.commits[0].author, with .0 for [0], * for any element of a list
// and double quotes around a key such as "a.b". It begins at a Root or else inside the
// payload; a key of the payload that is named like a root is reached as payload.config.
//
// A positive operator is false on a missing field, on null (but for equals null, is_null, exists
// and one_of_types) and on a type that it doesn't take. A negative one is the exact negation of
// its positive twin.
//
// The operators any, all and none take conditions on the elements of a list, whose fields begin
// with item. What is compared with now is compared with event.created, so that an evaluation
// depends on the document and on nothing else.
//
// The package is pure: it imports the standard library only and does no I/O.
package condition

// Mode says how a rule's list of conditions is combined.
type Mode string

// The modes. An empty list matches every event in either of them.
const (
	All Mode = "all"
	Any Mode = "any"
)

// Document is what conditions are evaluated on: a Value for each Root. A root that is left
// out is missing. Its last place is for the package's own use.
//
//	condition.Document{condition.Payload: payload, condition.Config: config}
type Document [roots]Value

// Program is a rule's compiled condition. It is immutable and safe for concurrent use.
type Program struct {
	rule group
	uses [roots]bool
}

// Match reports whether the document satisfies the condition. It says the same as Explain,
// and is fast.
func (p *Program) Match(doc *Document) bool {
	return p.rule.match(doc)
}

// Uses reports whether a field of the condition begins at the root. One that isn't used
// needs no decoding.
func (p *Program) Uses(root Root) bool {
	return p.uses[root]
}

// A condition is a clause, a group or a negation.
type condition interface {
	match(doc *Document) bool
	explain(doc *Document) Verdict
	settle(doc *Document) condition
}

// A group is a list of conditions of which all or any have to match.
type group struct {
	mode       Mode
	conditions []condition
}

func (g group) match(doc *Document) bool {
	wanted := g.mode == Any
	for _, part := range g.conditions {
		if part.match(doc) == wanted {
			return wanted
		}
	}
	return !wanted || len(g.conditions) == 0
}

// A negation is a condition that must not match.
type negation struct {
	condition condition
}

func (n negation) match(doc *Document) bool {
	return !n.condition.match(doc)
}

package condition

import "fmt"

// A quantifier says whether the elements of a list satisfy conditions on item: any of them, or every one.
type quantifier struct {
	every      bool
	conditions group
	// outer says that a condition compares with a field outside of the element.
	outer bool
}

// holds judges a list, or an object as the only element of one.
func (q *quantifier) holds(v Value, doc *Document) bool {
	conditions, inside := q.enter(doc)
	for e, ok := elements(v); ok; e, ok = e.after(v) {
		inside[item] = e
		if conditions.match(inside) != q.every {
			return !q.every
		}
	}
	return q.every
}

// elements returns the first element of a list, or the object itself, which no other follows.
func elements(v Value) (Value, bool) {
	if v.kind() == kindObject {
		return v, true
	}
	return v.first()
}

// enter returns the conditions with what is the same for all elements settled, and a document that has room for one.
func (q *quantifier) enter(doc *Document) (group, *Document) {
	inside := *doc
	if q.outer {
		return q.conditions.settle(&inside).(group), &inside
	}
	return q.conditions, &inside
}

// Element is the explanation of the one element of a list that decided, or that came closest.
type Element struct {
	// Index is its place in the list, from 0 on.
	Index int `json:"index"`
	// Verdicts has one for each of the conditions on item.
	Verdicts []Verdict `json:"verdicts"`
}

// explained is how many elements are looked at for the one that came closest.
const explained = 1_000

// explain returns the explanation of the element that decided, and the reason for the outcome. Of those that all fail to be
// what any looks for, it is the first of those that satisfy the most conditions. There is none for an empty list, and where
// all satisfy all.
func (q *quantifier) explain(v Value, doc *Document) (*Element, string) {
	conditions, inside := q.enter(doc)
	var nearest *Element
	most, index := -1, 0
	for e, ok := elements(v); ok; e, ok = e.after(v) {
		inside[item] = e
		switch matched := conditions.match(inside); {
		case matched != q.every:
			_, verdicts := conditions.verdicts(inside)
			return &Element{Index: index, Verdicts: verdicts}, q.decided(index)
		case !q.every && index < explained:
			_, verdicts := conditions.verdicts(inside)
			if n := satisfied(verdicts); n > most {
				most, nearest = n, &Element{Index: index, Verdicts: verdicts}
			}
		}
		index++
	}
	return nearest, q.undecided(index, nearest)
}

func (q *quantifier) decided(index int) string {
	if q.every {
		return fmt.Sprintf("element %d does not satisfy it", index)
	}
	return fmt.Sprintf("element %d satisfies it", index)
}

func (q *quantifier) undecided(elements int, nearest *Element) string {
	switch {
	case elements == 0:
		return "list is empty"
	case q.every:
		return fmt.Sprintf("all of %d satisfy it", elements)
	case elements == 1:
		return "the only element does not satisfy it"
	default:
		return fmt.Sprintf("none of %d satisfies it: element %d comes closest", elements, nearest.Index)
	}
}

func satisfied(verdicts []Verdict) int {
	n := 0
	for _, v := range verdicts {
		if v.Matched {
			n++
		}
	}
	return n
}

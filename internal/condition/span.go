package condition

import (
	"cmp"
	"math"
	"strconv"
)

// A span is the numbers from low to high, both included. Both are rounded, which leaves a number that is within exactly
// within when it is rounded, too.
type span struct{ low, high float64 }

var everyNumber = span{math.Inf(-1), math.Inf(1)}

// rounded returns the float64 next to a JSON number, an infinity for one that is too large.
func rounded(text string) float64 {
	f, _ := strconv.ParseFloat(text, 64)
	return f
}

// within returns the numbers that are in both spans.
func (s span) within(other span) span {
	return span{max(s.low, other.low), min(s.high, other.high)}
}

// A spanTree finds the spans that a number is in. It is a persistent treap in the order of the lower ends, of which each
// node knows the greatest upper end below it. The nil tree is empty.
type spanTree struct {
	owner       *edition
	span        span
	number      uint32 // of the program
	size        int
	greatest    float64 // the greatest upper end
	left, right *spanTree
}

func (t *spanTree) count() int {
	if t == nil {
		return 0
	}
	return t.size
}

// find passes the numbers of the programs whose spans x is in.
func (t *spanTree) find(x float64, found func(uint32)) {
	for t != nil && t.greatest >= x {
		t.left.find(x, found)
		if t.span.low > x {
			return
		}
		if t.span.high >= x {
			found(t.number)
		}
		t = t.right
	}
}

// order compares the place of a span with the node's.
func (t *spanTree) order(s span, number uint32) int {
	return cmp.Or(cmp.Compare(s.low, t.span.low), cmp.Compare(number, t.number))
}

// priority makes the tree balanced, most likely, whatever the order of its changes.
func priority(number uint32) uint64 {
	x := uint64(number) + 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (t *spanTree) writable(e *edition) *spanTree {
	if t.owner == e {
		return t
	}
	copied := *t
	copied.owner = e
	return &copied
}

// settle computes what a node knows of those below it.
func (t *spanTree) settle() *spanTree {
	t.size, t.greatest = 1+t.left.count()+t.right.count(), t.span.high
	for _, child := range []*spanTree{t.left, t.right} {
		if child != nil {
			t.greatest = max(t.greatest, child.greatest)
		}
	}
	return t
}

func (t *spanTree) with(e *edition, s span, number uint32) *spanTree {
	if t == nil || priority(number) > priority(t.number) {
		added := &spanTree{owner: e, span: s, number: number}
		added.left, added.right = t.split(e, s, number)
		return added.settle()
	}
	t = t.writable(e)
	if t.order(s, number) < 0 {
		t.left = t.left.with(e, s, number)
	} else {
		t.right = t.right.with(e, s, number)
	}
	return t.settle()
}

// split takes the tree apart into what is before a span and what is not.
func (t *spanTree) split(e *edition, s span, number uint32) (before, after *spanTree) {
	if t == nil {
		return nil, nil
	}
	t = t.writable(e)
	if t.order(s, number) <= 0 {
		before, t.left = t.left.split(e, s, number)
		return before, t.settle()
	}
	t.right, after = t.right.split(e, s, number)
	return t.settle(), after
}

func (t *spanTree) without(e *edition, s span, number uint32) *spanTree {
	if t == nil {
		return nil
	}
	order := t.order(s, number)
	if order == 0 {
		return t.left.join(e, t.right)
	}
	t = t.writable(e)
	if order < 0 {
		t.left = t.left.without(e, s, number)
	} else {
		t.right = t.right.without(e, s, number)
	}
	return t.settle()
}

// join puts together two trees, the second of which is all after the first.
func (t *spanTree) join(e *edition, after *spanTree) *spanTree {
	switch {
	case t == nil:
		return after
	case after == nil:
		return t
	case priority(t.number) > priority(after.number):
		t = t.writable(e)
		t.right = t.right.join(e, after)
		return t.settle()
	default:
		after = after.writable(e)
		after.left = t.join(e, after.left)
		return after.settle()
	}
}

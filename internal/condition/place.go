package condition

import (
	"slices"
	"sort"
)

// A place is where a path leads to, in the tree of all paths by which programs are found: the ways to find programs by the
// values there, and the places below. The nil place is empty.
type place struct {
	owner *edition
	ways  int // how many there are here and below

	present     *posting
	keys        *table[*posting]
	containers  int // how many of the keys are of lists and objects
	folded      *table[*posting]
	affixes     [byFoldedPart - byPrefix + 1]affixes
	spans       *spanTree
	clauses     *table[*tested]
	textClauses *table[*tested]

	few   []step         // steps to members of objects, of which each is looked up
	many  *table[*place] // more of them, by key, which are found from the members that an object has
	other []step         // steps to elements of lists
}

// fewSteps is how many steps to members are looked up one by one.
const fewSteps = 8

// A step leads down to another place.
type step struct {
	segment
	place *place
}

// A tested is a clause, and the programs that are found where it holds.
type tested struct {
	clause *clause
	*posting
}

// find returns the place that the segments lead to, nil where there is none.
func (p *place) find(segments []segment) *place {
	for i := range segments {
		if p == nil {
			return nil
		}
		p = p.below(&segments[i])
	}
	return p
}

func sameStep(steps []step, s *segment) int {
	return slices.IndexFunc(steps, func(other step) bool {
		return other.kind == s.kind && other.index == s.index && other.key == s.key
	})
}

// isMember reports whether the segment leads to members of objects only.
func (s *segment) isMember() bool { return s.kind == segmentName && s.index < 0 }

func (p *place) below(s *segment) *place {
	if !s.isMember() {
		if i := sameStep(p.other, s); i >= 0 {
			return p.other[i].place
		}
		return nil
	}
	if i := sameStep(p.few, s); i >= 0 {
		return p.few[i].place
	}
	below, _ := p.many.get(s.key)
	return below
}

// setBelow changes where a step of a writable place leads to; to nil: there is no such step any more.
func (p *place) setBelow(e *edition, s *segment, below *place) {
	steps := &p.other
	if s.isMember() {
		if steps = &p.few; sameStep(p.few, s) < 0 {
			if _, known := p.many.get(s.key); known || len(p.few) == fewSteps {
				if p.many = p.many.without(e, s.key); below != nil {
					p.many = p.many.with(e, s.key, below)
				}
				return
			}
		}
	}
	switch i := sameStep(*steps, s); {
	case below == nil && i >= 0:
		*steps = slices.Delete(*steps, i, i+1)
	case i >= 0:
		(*steps)[i].place = below
	case below != nil:
		*steps = append(*steps, step{*s, below})
	}
}

func (p *place) writable(e *edition) *place {
	switch {
	case p == nil:
		return &place{owner: e}
	case p.owner == e:
		return p
	}
	copied := *p
	copied.owner, copied.few, copied.other = e, slices.Clone(p.few), slices.Clone(p.other)
	for i := range copied.affixes {
		copied.affixes[i].lengths = slices.Clone(p.affixes[i].lengths)
	}
	return &copied
}

// with returns the place with a program that is found from the place that the segments lead to.
func (p *place) with(e *edition, a *access, segments []segment, number uint32) *place {
	p = p.writable(e)
	p.ways++
	if len(segments) == 0 {
		p.change(e, a, func(found *posting) *posting { return found.with(e, number) }, number, true)
		return p
	}
	p.setBelow(e, &segments[0], p.below(&segments[0]).with(e, a, segments[1:], number))
	return p
}

// without is the opposite of with; nil when nothing is left.
func (p *place) without(e *edition, a *access, segments []segment, number uint32) *place {
	if p.ways == 1 {
		return nil
	}
	p = p.writable(e)
	p.ways--
	if len(segments) == 0 {
		p.change(e, a, func(found *posting) *posting { return found.without(e, number) }, number, false)
		return p
	}
	p.setBelow(e, &segments[0], p.below(&segments[0]).without(e, a, segments[1:], number))
	return p
}

// posting returns the programs that are found in the same way as the access, with spans left out.
func (p *place) posting(a *access) *posting {
	switch a.kind {
	case byKey:
		found, _ := p.keys.get(a.text)
		return found
	case byFolded:
		found, _ := p.folded.get(a.text)
		return found
	case byPrefix, byFoldedPrefix, bySuffix, byFoldedSuffix, byPart, byFoldedPart:
		found, _ := p.affixes[a.kind-byPrefix].table.get(a.text)
		return found
	case byClause, byTextClause:
		if found, ok := p.tested(a.kind).get(a.text); ok {
			return found.posting
		}
		return nil
	default:
		return p.present
	}
}

func (p *place) tested(kind accessKind) *table[*tested] {
	if kind == byTextClause {
		return p.textClauses
	}
	return p.clauses
}

// change applies a change to what the access finds, at a writable place.
func (p *place) change(e *edition, a *access, apply func(*posting) *posting, number uint32, adds bool) {
	if a.kind == bySpan {
		if adds {
			p.spans = p.spans.with(e, a.span, number)
		} else {
			p.spans = p.spans.without(e, a.span, number)
		}
		return
	}
	before := p.posting(a)
	after := apply(before)
	switch a.kind {
	case byKey:
		if isContainer := a.text[0] == '[' || a.text[0] == '{'; isContainer {
			p.containers += present(after) - present(before)
		}
		p.keys = replaced(e, p.keys, a.text, after)
	case byFolded:
		p.folded = replaced(e, p.folded, a.text, after)
	case byPrefix, byFoldedPrefix, bySuffix, byFoldedSuffix, byPart, byFoldedPart:
		affixes := &p.affixes[a.kind-byPrefix]
		affixes.count(len(a.text), present(after)-present(before))
		affixes.table = replaced(e, affixes.table, a.text, after)
	case byClause:
		p.clauses = retested(e, p.clauses, a, after)
	case byTextClause:
		p.textClauses = retested(e, p.textClauses, a, after)
	default:
		p.present = after
	}
}

func present(p *posting) int {
	if p == nil {
		return 0
	}
	return 1
}

func replaced(e *edition, t *table[*posting], key string, p *posting) *table[*posting] {
	if p == nil {
		return t.without(e, key)
	}
	return t.with(e, key, p)
}

func retested(e *edition, t *table[*tested], a *access, p *posting) *table[*tested] {
	if p == nil {
		return t.without(e, a.text)
	}
	return t.with(e, a.text, &tested{a.clause, p})
}

// An affixes finds the programs of all prefixes, all suffixes or all parts of a text: by one look-up for each length that
// there is, and for parts each position.
type affixes struct {
	table   *table[*posting]
	lengths []lengthCount // in order
}

type lengthCount struct{ length, count int }

// count notes that there are more, or fewer, of a length.
func (x *affixes) count(length, more int) {
	if more == 0 {
		return
	}
	i := sort.Search(len(x.lengths), func(i int) bool { return x.lengths[i].length >= length })
	if i == len(x.lengths) || x.lengths[i].length != length {
		x.lengths = slices.Insert(x.lengths, i, lengthCount{length: length})
	}
	if x.lengths[i].count += more; x.lengths[i].count == 0 {
		x.lengths = slices.Delete(x.lengths, i, i+1)
	}
}

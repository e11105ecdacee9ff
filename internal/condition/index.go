package condition

import "math"

// Index finds the programs that may match a document without evaluating all of them: it leaves out those of which it is
// certain that they do not match. Of each program it chooses one clause, or one of each alternative, by which the program
// is found: hash tables hold the values and prefixes, search trees the ranges, and clauses that are none of these are
// evaluated once for all programs that have them. What is found remains to be evaluated.
//
// An Index never changes, so any number of goroutines may use it; Edit makes another one, which shares with it what stays
// the same. The zero Index is empty.
type Index struct {
	roots  [roots]*place
	always *posting // the programs that nothing can be said of
	size   int
}

// Len returns how many programs there are.
func (x *Index) Len() int { return x.size }

// Ways is how an index finds a program.
type Ways struct{ found []access }

// Editor makes an Index from another one. It is for one goroutine.
type Editor struct {
	edition *edition
	index   Index
}

// Edit returns an editor that begins with what the index holds.
func (x *Index) Edit() *Editor {
	return &Editor{edition: new(edition), index: *x}
}

// Index returns what the editor has come to; the editor is of no use thereafter.
func (e *Editor) Index() *Index {
	e.edition = nil
	return &e.index
}

// Add adds a program under a number that no other one has. What it returns takes it away again.
func (e *Editor) Add(number uint32, p *Program) Ways {
	a := accessor{cost: e.cost}
	found := a.program(p).found
	e.index.size++
	if found == nil {
		e.index.always = e.index.always.with(e.edition, number)
	}
	for i := range found {
		root := &e.index.roots[found[i].root]
		*root = (*root).with(e.edition, &found[i], found[i].segments, number)
	}
	return Ways{found}
}

// Remove takes away the program that Add gave the number and these ways.
func (e *Editor) Remove(number uint32, ways Ways) {
	e.index.size--
	if ways.found == nil {
		e.index.always = e.index.always.without(e.edition, number)
	}
	for i := range ways.found {
		root := &e.index.roots[ways.found[i].root]
		*root = (*root).without(e.edition, &ways.found[i], ways.found[i].segments, number)
	}
}

// The costs of ways are guesses: what finds few programs so far is likely to find few events, and what has to be evaluated
// is dear unless another program has it evaluated already.
const (
	affixCost    = 4
	spanCost     = 16
	clauseCost   = 64
	sharedCost   = 8
	presenceCost = 32
)

func (e *Editor) cost(a *access) int {
	p := e.index.roots[a.root].find(a.segments)
	if p == nil {
		p = &place{}
	}
	switch shared := p.posting(a); a.kind {
	case byKey, byFolded:
		return 1 + shared.size()
	case byPrefix, byFoldedPrefix, bySuffix, byFoldedSuffix, byPart, byFoldedPart:
		return affixCost + 2*shared.size()
	case bySpan:
		if math.IsInf(a.span.low, 0) || math.IsInf(a.span.high, 0) {
			return spanCost + p.spans.count()/2
		}
		return spanCost + p.spans.count()/64
	case byPresence:
		return presenceCost + shared.size()
	default:
		if shared == nil {
			return clauseCost
		}
		return sharedCost + shared.size()
	}
}

// Candidates is what an index finds for one document. It is for one goroutine, and for one document after the other.
type Candidates struct {
	numbers []uint32
	seen    []uint64 // a bit a number
	key     []byte
	doc     *Document
}

// Find returns the numbers of all programs that match the document, and of others that may not. The slice is good until
// the next call.
func (x *Index) Find(doc *Document, c *Candidates) []uint32 {
	for _, number := range c.numbers {
		c.seen[number/64] = 0
	}
	c.numbers, c.doc = c.numbers[:0], doc
	c.add(x.always)
	for root, p := range x.roots {
		if v := doc[root]; p != nil && v.kind() != kindMissing {
			p.collect(v, c)
		}
	}
	c.doc = nil
	return c.numbers
}

func (c *Candidates) add(p *posting) {
	if p != nil {
		for _, number := range p.numbers {
			c.addNumber(number)
		}
	}
}

func (c *Candidates) addNumber(number uint32) {
	word, bit := int(number/64), uint64(1)<<(number%64)
	if word >= len(c.seen) {
		c.seen = append(c.seen, make([]uint64, word+1-len(c.seen))...)
	}
	if c.seen[word]&bit == 0 {
		c.seen[word] |= bit
		c.numbers = append(c.numbers, number)
	}
}

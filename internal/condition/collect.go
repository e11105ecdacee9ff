package condition

import "strings"

// collect finds the programs whose ways lead to the value or below it.
func (p *place) collect(v Value, c *Candidates) {
	c.add(p.present)
	kind := v.kind()
	switch kind {
	case kindString:
		p.collectText(v.str(), c)
	case kindNumber:
		if p.keys != nil {
			c.addKey(p.keys, v.appendKey(c.key[:0]))
		}
		if p.spans != nil {
			p.spans.find(rounded(v.raw()), c.addNumber)
		}
	case kindList, kindObject:
		if p.containers > 0 {
			c.addKey(p.keys, v.appendKey(c.key[:0]))
		}
	default:
		c.addKey(p.keys, v.appendKey(c.key[:0]))
	}
	if p.clauses != nil {
		c.test(p.clauses, v)
	}
	switch kind {
	case kindObject:
		p.collectMembers(v, c)
	case kindList:
		p.collectElements(v, c)
	}
	if p.textClauses != nil && kind == kindString {
		c.test(p.textClauses, v)
	}
}

func (c *Candidates) addKey(keys *table[*posting], key []byte) {
	c.key = key
	if found, ok := keys.getBytes(key); ok {
		c.add(found)
	}
}

// test evaluates each different clause once.
func (c *Candidates) test(clauses *table[*tested], v Value) {
	for _, t := range clauses.all {
		s := search{clause: t.clause, doc: c.doc}
		if s.outcome(v) == isTrue {
			c.add(t.posting)
		}
	}
}

func (p *place) collectText(text string, c *Candidates) {
	if p.keys != nil {
		c.addKey(p.keys, appendTextKey(c.key[:0], text))
	}
	p.collectLiterals(byPrefix, text, c)
	if p.folds() {
		folded := fold(text)
		if found, ok := p.folded.get(folded); ok {
			c.add(found)
		}
		p.collectLiterals(byFoldedPrefix, folded, c)
	}
}

func (p *place) folds() bool {
	return p.folded != nil || p.literals(byFoldedPrefix).table != nil || p.literals(byFoldedSuffix).table != nil ||
		p.literals(byFoldedPart).table != nil
}

func (p *place) literals(kind accessKind) *affixes { return &p.affixes[kind-byPrefix] }

// collectLiterals looks for prefixes of that kind in the text, and for suffixes and parts that are folded likewise.
func (p *place) collectLiterals(kind accessKind, text string, c *Candidates) {
	prefixes := p.literals(kind)
	for _, l := range prefixes.lengths {
		if l.length > len(text) {
			break
		}
		c.addText(prefixes.table, text[:l.length])
	}
	suffixes := p.literals(kind + bySuffix - byPrefix)
	for _, l := range suffixes.lengths {
		if l.length > len(text) {
			break
		}
		c.addText(suffixes.table, text[len(text)-l.length:])
	}
	parts := p.literals(kind + byPart - byPrefix)
	// To search for a part is faster than to look all positions up, unless there are many parts.
	const many = 32
	if parts.table.size() < many {
		for part, found := range parts.table.all {
			if strings.Contains(text, part) {
				c.add(found)
			}
		}
		return
	}
	for _, l := range parts.lengths {
		for i := range max(len(text)-l.length+1, 0) {
			c.addText(parts.table, text[i:i+l.length])
		}
	}
}

func (c *Candidates) addText(table *table[*posting], text string) {
	if found, ok := table.get(text); ok {
		c.add(found)
	}
}

// collectMembers goes from an object to its members. Of a repeated key it may look at all values.
func (p *place) collectMembers(v Value, c *Candidates) {
	for i := range p.few {
		if member := v.member(p.few[i].key); member.kind() != kindMissing {
			p.few[i].place.collect(member, c)
		}
	}
	for i := range p.other {
		if s := &p.other[i]; s.kind == segmentName {
			if member := v.member(s.key); member.kind() != kindMissing {
				s.place.collect(member, c)
			}
		}
	}
	if p.many == nil {
		return
	}
	for key, ok := v.first(); ok; {
		member := key.value()
		if below, found := p.many.get(key.str()); found {
			below.collect(member, c)
		}
		key, ok = member.after(v)
	}
}

func (p *place) collectElements(v Value, c *Candidates) {
	for i := range p.other {
		s := &p.other[i]
		if s.kind == segmentEvery {
			for e, ok := v.first(); ok; e, ok = e.after(v) {
				s.place.collect(e, c)
			}
		} else if e := v.element(s.index); e.kind() != kindMissing {
			s.place.collect(e, c)
		}
	}
}

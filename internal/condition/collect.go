package condition

// collect finds the programs whose ways lead to the value or below it.
func (p *place) collect(v Value, c *Candidates) {
	c.add(p.present)
	kind := v.kind()
	switch kind {
	case kindString:
		p.collectText(v.str(), c)
	case kindNumber:
		n := parseNumber(v.raw())
		c.addKey(p.keys, n.appendKey(c.key[:0]))
		if p.spans != nil {
			p.spans.find(n, c.addNumber)
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
	if p.folded != nil || p.affixes[1].table != nil || p.affixes[3].table != nil {
		folded := fold(text)
		if found, ok := p.folded.get(folded); ok {
			c.add(found)
		}
		p.collectAffixes(1, folded, c)
		p.collectAffixes(3, folded, c)
	}
	p.collectAffixes(0, text, c)
	p.collectAffixes(2, text, c)
}

func (p *place) collectAffixes(which int, text string, c *Candidates) {
	x := &p.affixes[which]
	isSuffix := which >= 2
	for _, l := range x.lengths {
		if l.length > len(text) {
			return
		}
		part := text[:l.length]
		if isSuffix {
			part = text[len(text)-l.length:]
		}
		if found, ok := x.table.get(part); ok {
			c.add(found)
		}
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

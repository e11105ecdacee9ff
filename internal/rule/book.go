package rule

import (
	"slices"

	"github.com/attune-automation/sensors/internal/condition"
	"github.com/attune-automation/sensors/internal/sensor"
)

// Book keeps the rules of a trigger while they come, change and go. A change takes a time that hardly depends on how many
// there are, and leaves the sets that were made before as they are. It is for one goroutine at a time; the zero Book is
// empty.
type Book struct {
	entries map[string]entry // by ref
	free    []uint32         // numbers that are in use no more
	next    uint32
	set     *Set              // as of the last call of Set
	editor  *condition.Editor // while there are changes since
	chunks  []*chunk
	copied  []bool // by chunk: whether it is a copy that no set has
	uses    [condition.Sensor + 1]int
}

// An entry is a rule that is in force, or one that does not compile, which has no number.
type entry struct {
	compiled *Compiled
	number   uint32
	ways     condition.Ways
}

// Len returns how many rules there are, with those that do not compile.
func (b *Book) Len() int { return len(b.entries) }

// Put adds a rule, or replaces the one with its ref. A rule that does not compile, as the error says, matches nothing.
func (b *Book) Put(r *sensor.Rule) error {
	b.Remove(r.Ref)
	compiled, err := Compile(r)
	if b.entries == nil {
		b.entries = map[string]entry{}
	}
	if err != nil {
		b.entries[r.Ref] = entry{}
		return err
	}
	e := entry{compiled: compiled, number: b.number()}
	e.ways = b.edit().Add(e.number, compiled.conditions)
	b.place(e.number, compiled)
	b.count(compiled, 1)
	b.entries[r.Ref] = e
	return nil
}

// Remove takes away the rule with that ref, if there is one.
func (b *Book) Remove(ref string) {
	e, known := b.entries[ref]
	if !known {
		return
	}
	delete(b.entries, ref)
	if e.compiled == nil {
		return
	}
	b.edit().Remove(e.number, e.ways)
	b.place(e.number, nil)
	b.count(e.compiled, -1)
	b.free = append(b.free, e.number)
}

// Keep takes away all rules but those with these refs.
func (b *Book) Keep(refs []string) {
	keep := make(map[string]bool, len(refs))
	for _, ref := range refs {
		keep[ref] = true
	}
	for ref := range b.entries {
		if !keep[ref] {
			b.Remove(ref)
		}
	}
}

// Set returns the rules as they are now.
func (b *Book) Set() *Set {
	switch {
	case b.editor != nil:
		b.set = &Set{index: b.editor.Index(), chunks: b.chunks, uses: b.uses}
		b.editor = nil
	case b.set == nil:
		b.set = &Set{index: &condition.Index{}}
	}
	return b.set
}

// edit begins a change, if none has begun since the last set.
func (b *Book) edit() *condition.Editor {
	if b.editor == nil {
		b.editor = b.Set().index.Edit()
		b.chunks, b.copied = slices.Clone(b.chunks), make([]bool, len(b.chunks))
	}
	return b.editor
}

func (b *Book) number() uint32 {
	if last := len(b.free) - 1; last >= 0 {
		number := b.free[last]
		b.free = b.free[:last]
		return number
	}
	b.next++
	return b.next - 1
}

func (b *Book) place(number uint32, r *Compiled) {
	i := int(number) / len(chunk{})
	if i == len(b.chunks) {
		b.chunks, b.copied = append(b.chunks, &chunk{}), append(b.copied, true)
	}
	if !b.copied[i] {
		copied := *b.chunks[i]
		b.chunks[i], b.copied[i] = &copied, true
	}
	b.chunks[i][int(number)%len(chunk{})] = r
}

func (b *Book) count(r *Compiled, more int) {
	for root := range b.uses {
		if r.Uses(condition.Root(root)) {
			b.uses[root] += more
		}
	}
}

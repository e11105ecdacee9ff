package condition

import (
	"hash/maphash"
	"maps"
	"slices"
)

// An edition is a change of an index in the making. What carries it may be changed in place, for nobody else sees it yet;
// everything else is copied first.
type edition struct{ _ byte }

// A table is a persistent hash table: a changed one shares with the one before all shards but those that changed. The nil
// table is empty.
type table[V any] struct {
	owner  *edition
	seed   maphash.Seed
	count  int
	shards []*shard[V] // a power of two of them
}

type shard[V any] struct {
	owner   *edition
	entries map[string]V
}

// perShard is how many entries a shard has on average before there are twice as many shards: what a change copies.
const perShard = 24

func (t *table[V]) size() int {
	if t == nil {
		return 0
	}
	return t.count
}

func (t *table[V]) get(key string) (v V, found bool) {
	if t == nil {
		return v, false
	}
	v, found = t.shards[maphash.String(t.seed, key)&uint64(len(t.shards)-1)].entries[key]
	return v, found
}

// getBytes is get for a key that is about to be overwritten.
func (t *table[V]) getBytes(key []byte) (v V, found bool) {
	if t == nil {
		return v, false
	}
	v, found = t.shards[maphash.Bytes(t.seed, key)&uint64(len(t.shards)-1)].entries[string(key)]
	return v, found
}

// all yields the entries in no order.
func (t *table[V]) all(yield func(string, V) bool) {
	if t == nil {
		return
	}
	for _, s := range t.shards {
		for key, v := range s.entries {
			if !yield(key, v) {
				return
			}
		}
	}
}

// with returns the table with the entry set.
func (t *table[V]) with(e *edition, key string, v V) *table[V] {
	t = t.writable(e)
	if t.count >= perShard*len(t.shards) {
		t.grow(e)
	}
	entries := t.shard(e, key).entries
	before := len(entries)
	entries[key] = v
	t.count += len(entries) - before
	return t
}

// without returns the table without the entry.
func (t *table[V]) without(e *edition, key string) *table[V] {
	if _, found := t.get(key); !found {
		return t
	}
	if t.count == 1 {
		return nil
	}
	t = t.writable(e)
	delete(t.shard(e, key).entries, key)
	t.count--
	return t
}

func (t *table[V]) writable(e *edition) *table[V] {
	switch {
	case t == nil:
		return &table[V]{owner: e, seed: maphash.MakeSeed(), shards: []*shard[V]{{owner: e, entries: map[string]V{}}}}
	case t.owner == e:
		return t
	}
	copied := *t
	copied.owner, copied.shards = e, slices.Clone(t.shards)
	return &copied
}

// shard returns the key's shard of a writable table, ready to be changed.
func (t *table[V]) shard(e *edition, key string) *shard[V] {
	s := &t.shards[maphash.String(t.seed, key)&uint64(len(t.shards)-1)]
	if (*s).owner != e {
		*s = &shard[V]{owner: e, entries: maps.Clone((*s).entries)}
	}
	return *s
}

func (t *table[V]) grow(e *edition) {
	old := t.shards
	t.shards = make([]*shard[V], 2*len(old))
	for i := range t.shards {
		t.shards[i] = &shard[V]{owner: e, entries: make(map[string]V, perShard/2)}
	}
	for _, s := range old {
		for key, v := range s.entries {
			t.shards[maphash.String(t.seed, key)&uint64(len(t.shards)-1)].entries[key] = v
		}
	}
}

// A posting is the numbers of the programs that are found by one key. The nil posting is empty.
type posting struct {
	owner   *edition
	numbers []uint32
}

func (p *posting) size() int {
	if p == nil {
		return 0
	}
	return len(p.numbers)
}

func (p *posting) with(e *edition, number uint32) *posting {
	switch {
	case p == nil:
		return &posting{owner: e, numbers: []uint32{number}}
	case p.owner != e:
		numbers := make([]uint32, len(p.numbers), len(p.numbers)+1)
		copy(numbers, p.numbers)
		p = &posting{owner: e, numbers: numbers}
	}
	p.numbers = append(p.numbers, number)
	return p
}

// without returns the posting without the number; nil when it was the last.
func (p *posting) without(e *edition, number uint32) *posting {
	if p == nil {
		return nil
	}
	numbers := make([]uint32, 0, len(p.numbers))
	for _, n := range p.numbers {
		if n != number {
			numbers = append(numbers, n)
		}
	}
	if len(numbers) == 0 {
		return nil
	}
	return &posting{owner: e, numbers: numbers}
}

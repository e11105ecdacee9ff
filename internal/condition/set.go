package condition

import "slices"

// A set is a list of literals that is asked for membership, in a time that does not depend on its length.
type set struct {
	kinds   kinds
	fold    bool           // texts are compared without regard to case
	strings map[string]int // the position of each distinct member, here and below
	numbers []numbered     // in order
	others  map[string]int // by key
}

type numbered struct {
	number
	position int
}

func newSet(items []literal, fold bool) *set {
	s := &set{fold: fold, strings: map[string]int{}, others: map[string]int{}}
	position := 0
	for i := range items {
		item := &items[i]
		s.kinds |= setOf(item.kind)
		switch item.kind {
		case kindString:
			s.add(s.strings, folded(item.text, fold), &position)
		case kindNumber:
			s.numbers = append(s.numbers, numbered{number: item.number})
		default:
			s.add(s.others, string(item.appendKey(nil)), &position)
		}
	}
	slices.SortFunc(s.numbers, func(a, b numbered) int { return compareNumbers(a.number, b.number) })
	s.numbers = slices.CompactFunc(s.numbers, func(a, b numbered) bool { return compareNumbers(a.number, b.number) == 0 })
	for i := range s.numbers {
		s.numbers[i].position = position
		position++
	}
	return s
}

func (s *set) add(to map[string]int, key string, position *int) {
	if _, known := to[key]; !known {
		to[key] = *position
		*position++
	}
}

// size is how many distinct members the set has.
func (s *set) size() int { return len(s.strings) + len(s.numbers) + len(s.others) }

func (s *set) has(v Value) bool {
	_, found := s.index(v)
	return found
}

// index returns which of the distinct members v is.
func (s *set) index(v Value) (int, bool) {
	if !s.kinds.has(v.kind()) {
		return 0, false
	}
	switch v.kind() {
	case kindString:
		i, found := s.strings[folded(v.str(), s.fold)]
		return i, found
	case kindNumber:
		at, found := slices.BinarySearchFunc(s.numbers, parseNumber(v.raw()), func(n numbered, want number) int {
			return compareNumbers(n.number, want)
		})
		if !found {
			return 0, false
		}
		return s.numbers[at].position, true
	default:
		i, found := s.others[string(v.appendKey(nil))]
		return i, found
	}
}

package cron

import (
	"fmt"
	"strconv"
	"strings"
)

// field is one of the fields of an expression.
type field struct {
	name     string
	min, max int
	names    []string // of the values from min on
	cycle    int      // values that are apart by it are the same; 0: none are
}

var (
	secondField = field{name: "second", max: 59}
	minuteField = field{name: "minute", max: 59}
	hourField   = field{name: "hour", max: 23}
	dayField    = field{name: "day of month", min: 1, max: 31}
	monthField  = field{
		name: "month", min: 1, max: 12,
		names: []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"},
	}
	weekdayField = field{
		name: "day of week", max: 7, cycle: 7,
		names: []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"},
	}
)

// set is the values of a field.
type set struct {
	bits uint64 // a bit a value
	star bool   // the field begins with *
	step bool   // it has a step
}

// last is the greatest of the values that differ.
func (f field) last() int {
	if f.cycle > 0 {
		return f.min + f.cycle - 1
	}
	return f.max
}

// all returns the bits of all values.
func (f field) all() uint64 { return 1<<(f.last()+1) - 1<<f.min }

// parse reads a list of values, ranges and steps.
func (f field) parse(text string) (set, error) {
	s := set{star: text[0] == '*'}
	for item := range strings.SplitSeq(text, ",") {
		if err := f.add(&s, item); err != nil {
			return set{}, err
		}
	}
	return s, nil
}

// add adds an item of the list.
func (f field) add(s *set, item string) error {
	if item == "" {
		return fmt.Errorf("%s: an empty item: write values with a comma between them", f.name)
	}
	values, step, stepped := strings.Cut(item, "/")
	low, high, err := f.bounds(values, stepped)
	if err != nil {
		return err
	}
	by := 1
	if stepped {
		s.step = true
		if by, err = f.step(item, step); err != nil {
			return err
		}
	}
	span := f.last() - f.min + 1
	length := high - low
	if length < 0 {
		length += span // it goes on from the beginning
	}
	for i := 0; i <= length; i += by {
		s.bits |= 1 << (f.min + (low-f.min+i)%span)
	}
	return nil
}

// bounds reads *, a value or a range.
func (f field) bounds(text string, stepped bool) (low, high int, err error) {
	if text == "*" {
		return f.min, f.last(), nil
	}
	from, to, ranged := strings.Cut(text, "-")
	if low, err = f.value(from); err != nil {
		return 0, 0, err
	}
	switch {
	case ranged:
		if high, err = f.value(to); err != nil {
			return 0, 0, err
		}
	case stepped:
		high = f.last()
	default:
		high = low
	}
	if f.cycle > 0 && low >= f.min+f.cycle { // 7 is 0, and a range from it begins there
		low -= f.cycle
		if high >= f.min+f.cycle {
			high -= f.cycle
		}
	}
	return low, high, nil
}

// value reads a number or a name.
func (f field) value(text string) (int, error) {
	for i, name := range f.names {
		if strings.EqualFold(text, name) {
			return f.min + i, nil
		}
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%s: got %q: write %s", f.name, text, f.remedy())
	}
	if int(n) < f.min || int(n) > f.max {
		return 0, fmt.Errorf("%s: %d is out of bounds: write %s", f.name, n, f.remedy())
	}
	return int(n), nil
}

func (f field) step(item, text string) (int, error) {
	most := f.last() - f.min
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n < 1 || int(n) > most {
		return 0, fmt.Errorf("%s: step %q of %q: write a whole number from 1 to %d", f.name, text, item, most)
	}
	return int(n), nil
}

func (f field) remedy() string {
	remedy := fmt.Sprintf("a number from %d to %d", f.min, f.max)
	if f.names != nil {
		remedy += fmt.Sprintf(", or a name from %s to %s", f.names[0], f.names[len(f.names)-1])
	}
	return remedy
}

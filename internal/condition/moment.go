package condition

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// noNow is the reason of a comparison with now on a document that has none.
const noNow = "event.created, which now stands for, is missing"

// now is the time at which the document's event was seen. Rules compare with it rather than with the clock, so that an
// event matches the same rules whenever that is asked.
func (d *Document) now() (time.Time, bool) {
	if event := d[Event]; event.kind() == kindObject {
		return event.member("created").instant()
	}
	return time.Time{}, false
}

// A moment is a fixed time, or one relative to now.
type moment struct {
	fixed    time.Time
	relative bool
	offset   time.Duration
}

func (m *moment) at(doc *Document) (time.Time, bool) {
	if !m.relative {
		return m.fixed, true
	}
	now, ok := doc.now()
	return now.Add(m.offset), ok
}

const momentShape = "write a time such as 2026-01-31T08:00:00Z, now, now-15m or now+1h"

// momentOf reads what a field's time is compared with. A value of the event can only be a time.
func momentOf(o operand) (moment, error) {
	if t, ok := o.value.instant(); ok {
		return moment{fixed: t}, nil
	}
	if o.value.kind() != kindString {
		return moment{}, fmt.Errorf("%w; %s", wantKind(kindString, o.value), momentShape)
	}
	text := o.value.str()
	offset, relative := strings.CutPrefix(text, "now")
	if !relative || o.ofEvent {
		return moment{}, fmt.Errorf("%s is not a time: %s", abbreviate(text), momentShape)
	}
	m := moment{relative: true}
	if offset == "" {
		return m, nil
	}
	d, err := parseDuration(strings.TrimSpace(offset[1:]))
	switch {
	case err != nil:
		return moment{}, fmt.Errorf("%s is not a time: %s", abbreviate(text), momentShape)
	case offset[0] == '+':
		m.offset = d
	case offset[0] == '-':
		m.offset = -d
	default:
		return moment{}, fmt.Errorf("%s is not a time: %s", abbreviate(text), momentShape)
	}
	return m, nil
}

func buildBefore(o operand) (test, error) { return buildMoment(o, isLess) }

func buildAfter(o operand) (test, error) { return buildMoment(o, isGreater) }

func (o order) takesTimes(t, other time.Time) bool { return o.takes(t.Compare(other)) }

func buildMoment(o operand, wanted order) (test, error) {
	m, err := momentOf(o)
	if err != nil {
		return test{}, err
	}
	return timeTest(m, wanted.takesTimes), nil
}

// buildWithin tests whether two times are no further apart than a duration, whichever is the earlier one.
func buildWithin(o operand) (test, error) {
	if o.value.kind() != kindString {
		return test{}, fmt.Errorf("%w; %s", wantKind(kindString, o.value), durationShape)
	}
	most, err := parseDuration(o.value.str())
	if err != nil {
		return test{}, err
	}
	m := moment{relative: true}
	if o.reference.kind() != kindMissing {
		t, ok := o.reference.instant()
		if !ok {
			return test{}, errors.New("is not a time: " + shorten(o.reference.raw()))
		}
		m = moment{fixed: t}
	}
	return timeTest(m, func(t, other time.Time) bool { return t.Sub(other).Abs() <= most }), nil
}

func timeTest(m moment, holds func(t, other time.Time) bool) test {
	return test{
		takes: setOf(kindString, kindNumber), needsNow: m.relative, malformed: "value is not a time",
		judge: func(v Value, doc *Document) outcome {
			other, ok := m.at(doc)
			if !ok {
				return isUnsettled
			}
			t, ok := v.instant()
			switch {
			case !ok:
				return isMalformed
			case holds(t, other):
				return isTrue
			default:
				return isFalse
			}
		},
	}
}

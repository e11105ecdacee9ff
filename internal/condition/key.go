package condition

import (
	"encoding/binary"
	"slices"
	"strconv"
)

// appendKey appends bytes that two values have in common exactly if they are the same JSON, as equals says.
func (v Value) appendKey(to []byte) []byte {
	switch v.kind() {
	case kindString:
		return appendTextKey(to, v.str())
	case kindNumber:
		return parseNumber(v.raw()).appendKey(to)
	case kindBoolean:
		return append(to, v.raw()[0])
	case kindList:
		to = append(to, '[')
		for e, ok := v.first(); ok; e, ok = e.after(v) {
			to = e.appendKey(to)
		}
		return append(to, ']')
	case kindObject:
		members := map[string]Value{}
		for key, ok := v.first(); ok; {
			value := key.value()
			members[key.str()] = value
			key, ok = value.after(v)
		}
		return appendMembers(to, members, func(to []byte, member Value) []byte { return member.appendKey(to) })
	default:
		return append(to, '0')
	}
}

// appendKey is that of the value that the literal was made from.
func (l *literal) appendKey(to []byte) []byte {
	switch l.kind {
	case kindString:
		return appendTextKey(to, l.text)
	case kindNumber:
		return l.number.appendKey(to)
	case kindBoolean:
		return append(to, l.text[0])
	case kindList:
		to = append(to, '[')
		for i := range l.items {
			to = l.items[i].appendKey(to)
		}
		return append(to, ']')
	case kindObject:
		return appendMembers(to, l.members, func(to []byte, member literal) []byte { return member.appendKey(to) })
	default:
		return append(to, '0')
	}
}

func appendMembers[V any](to []byte, members map[string]V, member func([]byte, V) []byte) []byte {
	names := make([]string, 0, len(members))
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	to = append(to, '{')
	for _, name := range names {
		to = member(appendTextKey(to, name), members[name])
	}
	return append(to, '}')
}

func appendTextKey(to []byte, text string) []byte {
	to = binary.AppendUvarint(append(to, '"'), uint64(len(text)))
	return append(to, text...)
}

func (n number) appendKey(to []byte) []byte {
	switch n.sign() {
	case 0:
		return append(to, 'z')
	case -1:
		to = append(to, '-')
	default:
		to = append(to, '+')
	}
	to = append(append(to, n.head...), n.tail...)
	to = strconv.AppendInt(append(to, 'e'), n.exponent, 10)
	return append(to, ';')
}

package condition

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// A networks is a set of IP networks, asked in a time that depends on how many lengths of prefixes it has.
type networks struct {
	prefixes map[netip.Prefix]bool
	lengths  [2][]int // of IPv4 and of IPv6
}

func buildIPIn(o operand) (test, error) {
	var n networks
	texts := []Value{o.value}
	if o.value.kind() == kindList {
		texts = nil
		for e, ok := o.value.first(); ok; e, ok = e.after(o.value) {
			texts = append(texts, e)
		}
	}
	switch {
	case len(texts) > MaxList:
		return test{}, fmt.Errorf("a list of %d: at most %d are allowed", len(texts), MaxList)
	case len(texts) == 0:
		return test{}, errors.New("is an empty list: write networks, such as 10.0.0.0/8")
	}
	n.prefixes = make(map[netip.Prefix]bool, len(texts))
	for _, text := range texts {
		prefix, err := parseNetwork(text)
		if err != nil {
			return test{}, err
		}
		n.prefixes[prefix] = true
		lengths := &n.lengths[family(prefix.Addr())]
		if !slices.Contains(*lengths, prefix.Bits()) {
			*lengths = append(*lengths, prefix.Bits())
		}
	}
	return test{takes: setOf(kindString), judge: n.judge, malformed: "value is not an IP address"}, nil
}

func family(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// parseNetwork reads a network in CIDR notation, or one address.
func parseNetwork(v Value) (netip.Prefix, error) {
	if v.kind() != kindString {
		return netip.Prefix{}, fmt.Errorf("%w; write a network, such as 10.0.0.0/8 or fe80::/10, or a list of them", wantKind(kindString, v))
	}
	text := v.str()
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil || prefix.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%s is not a network: write one such as 10.0.0.0/8 or fe80::/10", abbreviate(text))
	}
	if masked := prefix.Masked(); masked != prefix {
		return netip.Prefix{}, fmt.Errorf("%s is an address within a network: write %s for the network, or %s for the address alone",
			abbreviate(text), masked, prefix.Addr())
	}
	return prefix, nil
}

func (n *networks) judge(v Value, _ *Document) outcome {
	a, err := netip.ParseAddr(v.str())
	if err != nil {
		return isMalformed
	}
	a = a.Unmap().WithZone("")
	for _, bits := range n.lengths[family(a)] {
		if prefix, err := a.Prefix(bits); err == nil && n.prefixes[prefix] {
			return isTrue
		}
	}
	return isFalse
}

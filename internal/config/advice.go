package config

import (
	"slices"
	"strings"

	"github.com/attune-automation/sensors/internal/typo"
)

func (l *loader) isKey(name string) bool {
	return slices.ContainsFunc(l.keys, func(k key) bool { return k.name == name })
}

func (l *loader) isSection(name string) bool {
	return slices.ContainsFunc(l.keys, func(k key) bool { return k.section() == name })
}

// advise says what the author of an unknown key may have meant; spell writes a key the way the author did.
func (l *loader) advise(name string, spell func(string) string) string {
	if meant := l.nearest(name); meant != "" {
		return "did you mean " + spell(meant) + "?"
	}
	section, _, _ := strings.Cut(name, ".")
	switch {
	case section == "temporal":
		return "TLS, API key and headers are up to Temporal's own variables, such as TEMPORAL_TLS_CLIENT_CERT_PATH"
	case l.isSection(section):
		return "known are " + strings.Join(l.names(section, spell), ", ")
	default:
		return "the sections are " + strings.Join(l.sections(), ", ")
	}
}

func (l *loader) names(section string, spell func(string) string) []string {
	var names []string
	for _, k := range l.keys {
		if k.section() == section {
			names = append(names, spell(k.name))
		}
	}
	return names
}

func (l *loader) sections() []string {
	var sections []string
	for _, k := range l.keys {
		sections = append(sections, k.section())
	}
	return slices.Compact(sections)
}

// nearest returns the key that differs least from name, or one of the same name in another section. It returns "" when
// none is near or several are.
func (l *loader) nearest(name string) string {
	var meant []string
	least := len(lastPart(name))/4 + 1 // letters that may be wrong
	for _, k := range l.keys {
		switch d := typo.Distance(name, k.name); {
		case d < least:
			meant, least = []string{k.name}, d
		case d == least:
			meant = append(meant, k.name)
		}
	}
	if meant == nil {
		for _, k := range l.keys {
			if lastPart(k.name) == lastPart(name) {
				meant = append(meant, k.name)
			}
		}
	}
	if len(meant) != 1 {
		return ""
	}
	return meant[0]
}

func lastPart(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

package config

import (
	"cmp"
	"slices"
	"strings"

	"github.com/knadh/koanf/providers/env/v2"
)

// environ is an environment as os.Environ returns it. Of a variable that is there twice, the last counts.
type environ []string

// Environ returns all of it.
func (e environ) Environ() []string { return e }

// LookupEnv returns the value of a variable and whether it is there.
func (e environ) LookupEnv(variable string) (string, bool) {
	for _, entry := range slices.Backward(e) {
		if name, text, _ := strings.Cut(entry, "="); name == variable {
			return text, true
		}
	}
	return "", false
}

// addEnviron lays ATTUNE__SECTION__KEY over what is there.
func (l *loader) addEnviron(e environ) {
	names := map[string]string{} // of keys, by variable
	for _, k := range l.keys {
		names[k.env()] = k.name
	}
	l.load(env.Provider(".", env.Opt{
		Prefix:      envPrefix,
		EnvironFunc: e.sorted,
		TransformFunc: func(variable, text string) (string, any) {
			name, ok := names[variable]
			if !ok {
				unknown := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(variable, envPrefix)), "__", ".")
				l.problem("unknown variable %s: %s", variable, l.advise(unknown, envName))
			}
			return name, setting{Text: text, Origin: "in the environment"}
		},
	}))
}

// sorted returns the environment by name, so that problems are always reported in the same order.
func (e environ) sorted() []string {
	return slices.SortedStableFunc(slices.Values(e), func(a, b string) int {
		nameA, _, _ := strings.Cut(a, "=")
		nameB, _, _ := strings.Cut(b, "=")
		return cmp.Compare(nameA, nameB)
	})
}

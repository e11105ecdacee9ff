package config

import "strings"

// envPrefix begins the name of every variable that is a key.
const envPrefix = "ATTUNE__"

// key is one setting. The tables that keys returns, in table.go, are the one place that knows names, defaults, limits and meanings:
// loading, printing and docs/configuration.md all follow them.
type key struct {
	name     string // section.key
	value    value
	fallback string // the default, as text
	shown    string // the default as the documentation writes it, when the text would not say it
	required string // an example, for a key that has no default and must be set
	secret   bool
	doc      string
}

func (k key) section() string {
	section, _, _ := strings.Cut(k.name, ".")
	return section
}

// env is the name of the variable that sets the key.
func (k key) env() string { return envName(k.name) }

func envName(name string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(name, ".", "__"))
}

// mask returns text as logs and errors may show it.
func (k key) mask(text string) string {
	if k.secret {
		return maskURL(text)
	}
	return text
}

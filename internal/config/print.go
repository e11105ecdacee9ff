package config

import "io"

// Print writes the configuration as YAML that Load reads, except that secrets are masked.
func (c Config) Print(w io.Writer) error {
	return nil
}

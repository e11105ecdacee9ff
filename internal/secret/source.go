// Package secret resolves the references to secrets in a sensor's config, `${secret:NAME}`, when the sensor is about to
// be polled, and keeps their values out of what the sensor says: it masks them in text for people and finds them in
// data. It is pure but for the files that it reads.
package secret

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"
)

// EnvPrefix begins the name of each variable of the worker's environment that holds a secret.
const EnvPrefix = "ATTUNE_SECRET_"

const (
	// minValue is the fewest bytes of a secret: shorter ones would be found in any text.
	minValue = 4
	// maxValue is the most bytes of a secret.
	maxValue = 64 << 10
)

// namePattern leaves no way out of the folder of secrets.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}$`)

// Config says where secrets are.
type Config struct {
	Environ   []string // as os.Environ returns it; secrets are the variables that begin with EnvPrefix
	Directory string   // a folder with a file a secret, as Kubernetes and Docker mount it; empty: none
}

// Source finds secrets by their names. It is safe for concurrent use.
type Source struct {
	environ   map[string]string
	directory string
}

// New returns a source. The folder need not be there yet: its files are read each time that a secret is asked for, so
// that a rotated one takes effect.
func New(c Config) (*Source, error) {
	s := &Source{environ: map[string]string{}, directory: c.Directory}
	for _, entry := range c.Environ {
		name, value, _ := strings.Cut(entry, "=")
		if name, ok := strings.CutPrefix(name, EnvPrefix); ok {
			s.environ[name] = value
		}
	}
	if c.Directory == "" {
		return s, nil
	}
	var err error
	if s.directory, err = filepath.Abs(c.Directory); err != nil {
		return nil, fmt.Errorf("finding secret.directory %q: %w", c.Directory, err)
	}
	if info, err := os.Stat(s.directory); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("secret.directory %q is not a folder: name the folder that has a file for each secret", s.directory)
	}
	return s, nil
}

// Lookup returns the value of a secret: the variable of the worker's environment if there is one, else the content of
// the file, less one newline at its end. The error names the secret and where to put it, never a value.
func (s *Source) Lookup(name string) (string, error) {
	if !namePattern.MatchString(name) {
		return "", fmt.Errorf("bad name %.80q of a secret: %s", name, nameRule)
	}
	if value, ok := s.environ[name]; ok {
		return value, checkValue(name, EnvPrefix+name, value)
	}
	if s.directory == "" {
		return "", s.missing(name)
	}
	value, err := s.read(name)
	if err != nil {
		return "", err
	}
	return value, checkValue(name, filepath.Join(s.directory, name), value)
}

// missing says that there is no such secret, and both places where it could be.
func (s *Source) missing(name string) error {
	file := fmt.Sprintf("or point secret.directory to a folder with the file %s", name)
	if s.directory != "" {
		file = fmt.Sprintf("or write it to the file %s", filepath.Join(s.directory, name))
	}
	return fmt.Errorf("there is no secret %q: set %s%s in the worker's environment, %s", name, EnvPrefix, name, file)
}

func checkValue(name, place, value string) error {
	switch {
	case len(value) > maxValue:
		return fmt.Errorf("secret %q (%s) has more than %d bytes: use a shorter one", name, place, maxValue)
	case !utf8.ValidString(value):
		return fmt.Errorf("secret %q (%s) is not UTF-8 text: keep it base64-encoded, and decode it in the sensor", name, place)
	case value == "":
		return fmt.Errorf("secret %q (%s) is empty", name, place)
	case len(strings.TrimSpace(value)) < minValue:
		return fmt.Errorf("secret %q (%s) has fewer than %d characters, too few to be kept out of logs: use a longer one",
			name, place, minValue)
	}
	return nil
}

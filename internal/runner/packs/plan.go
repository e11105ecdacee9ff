package packs

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/attune-automation/sensors/internal/sensor"
)

// planVersion is part of every key: it changes when the same files are to be installed in another way.
const planVersion = "1"

// plan is what is to be installed for the sensors of one runtime in one pack.
type plan struct {
	runtime     string
	key         string // names the result: the same key, the same packages
	interpreter answer
	pack        string   // the pack's copy
	files       []string // what the installer gets of the pack, slash-separated
	whole       bool     // it gets all of it
	locked      bool     // npm: a lock file says what to install
}

// plans keeps the plans of packs in use: they are asked for at each poll.
type plans struct {
	mu    sync.Mutex
	known map[string]*plan // nil: nothing is to be installed
}

// plan returns what is to be installed for the sensor, or nil.
func (c *Cache) plan(s sensor.Sensor, by answer, dir string) (*plan, error) {
	id := s.Runtime + " " + s.PackDigest + " " + by.file + " " + by.identity
	c.plans.mu.Lock()
	defer c.plans.mu.Unlock()
	if p, ok := c.plans.known[id]; ok {
		return p, nil
	}
	read := planPython
	if s.Runtime == sensor.RuntimeNode {
		read = planNode
	}
	p, err := read(dir)
	if err != nil {
		return nil, err
	}
	if p != nil {
		p.runtime, p.interpreter, p.pack = s.Runtime, by, dir
		if p.key, err = p.newKey(s.PackDigest); err != nil {
			return nil, err
		}
	}
	c.plans.known[id] = p
	return p, nil
}

// forget drops all plans; they are made again as they are needed.
func (p *plans) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.known)
}

// newKey hashes what decides what is installed: the files, or the whole pack if they lead to other files of it, and what
// the packages are built for.
func (p *plan) newKey(digest string) (string, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n%s\n%s\n", planVersion, p.runtime, p.interpreter.identity)
	if p.whole {
		fmt.Fprintf(sum, "pack %s\n", digest)
	}
	for _, name := range p.files {
		content, err := os.ReadFile(filepath.Join(p.pack, filepath.FromSlash(name)))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%s %d\n%s", name, len(content), content)
	}
	return hex.EncodeToString(sum.Sum(nil))[:32], nil
}

// readOptional returns a file of the pack, or nil if it has none of that name.
func readOptional(dir, name string) ([]byte, error) {
	content, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return content, err
}

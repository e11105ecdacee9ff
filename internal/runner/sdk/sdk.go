// Package sdk holds what runs Python and Node.js sensors: one file a language, without dependencies. A worker starts it
// with an entrypoint and speaks docs/sensor-protocol.md with it; authors run and test their sensors with the same file.
//
//	python3 -B -u attune_sensor.py serve ENTRYPOINT
//	node attune_sensor.mjs serve ENTRYPOINT
//
// Both say hello on descriptor 3 and then answer a request a line on stdin until it ends.
package sdk

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Protocol is the version of docs/sensor-protocol.md that the SDKs speak.
const Protocol = 1

const (
	python   = "attune_sensor.py"
	node     = "attune_sensor.mjs"
	types    = "attune_sensor.d.mts"
	manifest = "package.json" // makes the folder a package of Node.js
)

//go:embed files
var embedded embed.FS

// Cache keeps this program's SDKs on disk, where interpreters find them.
type Cache struct {
	dir string
}

// New installs the SDKs in a folder below parent. The folder is named after their content, so that workers of
// different versions may share parent.
func New(parent string) (*Cache, error) {
	sum := sha256.New()
	for _, name := range names() {
		content, err := read(name)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(sum, "%s %d\n%s", name, len(content), content)
	}
	parent, err := filepath.Abs(parent)
	if err != nil {
		return nil, fmt.Errorf("installing the SDKs: %w", err)
	}
	c := &Cache{dir: filepath.Join(parent, hex.EncodeToString(sum.Sum(nil)))}
	for _, name := range names() {
		if _, err := c.file(name); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Dir returns the absolute path of the folder that holds the SDKs. Processes need to read nothing else of them.
func (c *Cache) Dir() string { return c.dir }

// Python returns the absolute path of the Python SDK, an argument for python3.
func (c *Cache) Python() (string, error) { return c.file(python) }

// Node returns the absolute path of the Node.js SDK, an argument for node.
func (c *Cache) Node() (string, error) { return c.file(node) }

// file returns where a file of the SDKs is. It is written again if it is not as it should be: something may clean the
// cache folder while the worker runs.
func (c *Cache) file(name string) (string, error) {
	content, err := read(name)
	if err != nil {
		return "", err
	}
	path := filepath.Join(c.dir, name)
	if found, err := os.ReadFile(path); err == nil && bytes.Equal(found, content) {
		return path, nil
	}
	if err := install(path, content, 0o444); err != nil {
		return "", fmt.Errorf("installing the SDKs: %w", err)
	}
	return path, nil
}

// Write writes the SDKs into dir, for authors: with it on PYTHONPATH, or installed as a package of Node.js, editors know
// the types and sensors run alone. It replaces what an earlier Write left there and nothing else.
func Write(dir string) error {
	if err := refuseForeign(filepath.Join(dir, manifest)); err != nil {
		return fmt.Errorf("writing the SDKs: %w", err)
	}
	for _, name := range names() {
		content, err := read(name)
		if err != nil {
			return err
		}
		if err := install(filepath.Join(dir, name), content, 0o644); err != nil {
			return fmt.Errorf("writing the SDKs: %w", err)
		}
	}
	return nil
}

// refuseForeign protects the package.json of a project whose folder was named by mistake.
func refuseForeign(path string) error {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var found struct{ Name string }
	if json.Unmarshal(content, &found) != nil || found.Name != "attune_sensor" {
		return fmt.Errorf("%s belongs to something else: name a folder of its own", path)
	}
	return nil
}

func names() []string { return []string{python, node, types, manifest} }

func read(name string) ([]byte, error) { return embedded.ReadFile("files/" + name) }

// install makes a file appear whole, whoever else does the same at the same time.
func install(path string, content []byte, mode os.FileMode) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".new-")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(content)
	if err := errors.Join(err, tmp.Chmod(mode), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

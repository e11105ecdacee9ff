package packs

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

const packageFile = "package.json"

// lockFiles say exactly what npm is to install; the first that is there counts, as for npm.
var lockFiles = [...]string{"npm-shrinkwrap.json", "package-lock.json"}

// localSpec is a path, as npm tells it from a version, a tag or a repository.
var localSpec = regexp.MustCompile(`(?i)^([./]|~/|link:)|\.(tgz|tar|tar\.gz)$`)

// packageJSON is what matters here of a package.json.
type packageJSON struct {
	Dependencies         map[string]string `json:"dependencies"`
	OptionalDependencies map[string]string `json:"optionalDependencies"`
	Workspaces           json.RawMessage   `json:"workspaces"`
	Scripts              map[string]string `json:"scripts"`
}

// planNode looks for packages in the pack's package.json. A pack that brings its node_modules has what it needs.
func planNode(dir string) (*plan, error) {
	content, err := readOptional(dir, packageFile)
	if err != nil || content == nil || isDir(filepath.Join(dir, "node_modules")) {
		return nil, err
	}
	var parsed packageJSON
	if err := json.Unmarshal(bytes.TrimPrefix(content, []byte("\ufeff")), &parsed); err != nil {
		return nil, startFault("the pack's package.json can't be read: %s: correct it and apply the pack", err)
	}
	if len(parsed.Dependencies)+len(parsed.OptionalDependencies)+len(parsed.Workspaces) == 0 {
		return nil, nil
	}
	p := &plan{files: []string{packageFile}, whole: parsed.local() || bytes.Contains(content, []byte(`"file:`))}
	for _, name := range lockFiles {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			p.files, p.locked = append(p.files, name), true
			break
		}
	}
	return p, nil
}

// local says whether installing may need other files of the pack.
func (p packageJSON) local() bool {
	for _, dependencies := range []map[string]string{p.Dependencies, p.OptionalDependencies} {
		for _, from := range dependencies {
			if localSpec.MatchString(from) && !strings.Contains(from, "://") {
				return true
			}
		}
	}
	for _, script := range []string{"preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare"} {
		if p.Scripts[script] != "" {
			return true
		}
	}
	return len(p.Workspaces) > 0
}

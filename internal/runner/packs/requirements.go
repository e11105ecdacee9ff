package packs

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

const requirementsFile = "requirements.txt"

// planPython looks for packages in the pack's requirements.txt.
func planPython(dir string) (*plan, error) {
	content, err := readOptional(dir, requirementsFile)
	if err != nil {
		return nil, err
	}
	lines := requirements(string(content))
	if len(lines) == 0 {
		return nil, nil
	}
	return &plan{files: []string{requirementsFile}, whole: slices.ContainsFunc(lines, mayBeLocal)}, nil
}

// requirements returns the lines that mean something to pip.
func requirements(content string) []string {
	content = strings.ReplaceAll(strings.TrimPrefix(content, "\ufeff"), "\r", "")
	var lines []string
	for line := range strings.Lines(strings.ReplaceAll(content, "\\\n", " ")) {
		line = strings.TrimSpace(line)
		if i := strings.Index(line, " #"); i >= 0 {
			line = strings.TrimSpace(line[:i])
		}
		if line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	return lines
}

var (
	// remote are options that lead to no file.
	remote = regexp.MustCompile(`^(-i|--index-url|--extra-index-url|--no-index|--pre|--prefer-binary|--require-hashes|--only-binary|--no-binary|--trusted-host)\b`)
	// fromIndex is a package by its name, and what may follow that.
	fromIndex = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*\s*(\[[^\]]*\])?\s*([<>=!~;(].*)?$`)
	// fromWeb is a package by its address.
	fromWeb = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*\s*(\[[^\]]*\])?\s*@\s*(https?|git\+https?|git\+ssh)://`)
	// hashes may follow either.
	hashes = regexp.MustCompile(`\s+--hash\b.*$`)
)

// mayBeLocal says whether the line may name other files: what it does not know, may.
func mayBeLocal(line string) bool {
	if remote.MatchString(line) || fromWeb.MatchString(line) {
		return false
	}
	line = hashes.ReplaceAllString(line, "")
	archive := slices.Contains([]string{".whl", ".zip", ".gz", ".tgz", ".bz2", ".xz", ".tar"}, path.Ext(line))
	return archive || !fromIndex.MatchString(line)
}

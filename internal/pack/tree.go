package pack

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// MaxUnpacked is the most bytes that the files of a pack's code have together.
const MaxUnpacked = 64 << 20

// testFolder holds what tests the pack's sensors; it does not travel to workers.
const testFolder = "tests"

// tree is the files of a pack's folder.
type tree struct {
	fsys    fs.FS
	modes   map[string]fs.FileMode // of every regular file that belongs to the pack
	refused map[string]string      // why another path does not, as the end of "... is"
}

// readTree walks the folder. It follows no symbolic link, so that nothing outside of the folder ever gets into a pack.
func readTree(fsys fs.FS, problems *Problems) (*tree, error) {
	t := &tree{fsys: fsys, modes: map[string]fs.FileMode{}, refused: map[string]string{}}
	var total int64
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil && name == ".":
			return err
		case err != nil:
			*problems = append(*problems, Problem{File: name, Message: "cannot be read: " + cause(err)})
			return nil
		case name == ".":
			return nil
		case Skipped(entry.Name()):
			t.refused[name] = "skipped: hidden, temporary or compiled; rename it"
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir():
			t.refused[name] = "a folder: name the file that the runtime starts"
			return nil
		case !entry.Type().IsRegular():
			t.refused[name] = "not a regular file"
			*problems = append(*problems, Problem{File: name,
				Message: "is no regular file (a symbolic link?): packs hold only files; copy it, or leave it out"})
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			*problems = append(*problems, Problem{File: name, Message: "cannot be read: " + cause(err)})
			return nil
		}
		t.modes[name] = info.Mode()
		if isTest(name) {
			t.refused[name] = "in tests/, which does not travel to workers: move it to another folder, such as code/"
			return nil
		}
		total += info.Size()
		return nil
	})
	if err != nil {
		return nil, err
	}
	if total > MaxUnpacked {
		*problems = append(*problems, Problem{File: ".", Message: fmt.Sprintf(
			"its files have %d MiB together: a pack has at most %d MiB; leave out what its sensors do not need",
			total>>20+1, MaxUnpacked>>20)})
	}
	return t, nil
}

// Skipped says which names of files and folders are never part of a pack: hidden ones, editors' leftovers and what Python
// compiles.
func Skipped(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "#") || strings.HasSuffix(name, "~") ||
		strings.HasSuffix(name, ".swp") || strings.HasSuffix(name, ".tmp") ||
		name == "__pycache__" || strings.HasSuffix(name, ".pyc")
}

// definitions returns the YAML files right inside a folder, in order.
func (t *tree) definitions(folder string) []string {
	var names []string
	for _, name := range t.files() {
		if path.Dir(name) == folder && isYAML(name) {
			names = append(names, name)
		}
	}
	return names
}

// code returns the files that are neither definitions nor tests, in order: what sensors need to run.
func (t *tree) code() []string {
	return slices.DeleteFunc(t.files(), func(name string) bool {
		return name == packFile || isTest(name) || isYAML(name) && slices.Contains(folders, path.Dir(name))
	})
}

func (t *tree) files() []string { return slices.Sorted(maps.Keys(t.modes)) }

func isTest(name string) bool { return strings.HasPrefix(name, testFolder+"/") }

func isYAML(name string) bool {
	ext := path.Ext(name)
	return ext == ".yaml" || ext == ".yml"
}

// checkEntrypoint says why a runtime cannot start the file; it returns its cleaned path otherwise.
func (t *tree) checkEntrypoint(entrypoint string, executable bool) (string, error) {
	name := path.Clean(entrypoint)
	mode, ok := t.modes[name]
	switch why := t.refused[name]; {
	case !fs.ValidPath(name):
		return "", fmt.Errorf("%q leaves the pack: write a path below the pack's folder, such as code/watch.py", entrypoint)
	case why != "":
		return "", fmt.Errorf("%q is %s", entrypoint, why)
	case !ok:
		return "", fmt.Errorf("there is no file %q in the pack: %s", entrypoint, didYouMean(name, t.code()))
	case executable && mode&0o111 == 0:
		return "", fmt.Errorf("%q is not executable: run chmod +x on it", entrypoint)
	}
	return name, nil
}

// cause leaves out the path, which a problem already names.
func cause(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err.Error()
	}
	return err.Error()
}

package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/attune-automation/sensors/internal/pack"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/packs"
)

// setFlag is where a problem lies that is not in a file but in an expression of that flag.
const setFlag = "--set"

// folder is a pack's folder, and what came of reading it.
type folder struct {
	dir  string
	pack sensor.Pack
	odd  pack.Problems // what is probably a slip in it
	err  error         // pack.Problems, or why the folder cannot be read
}

// loadFolders reads packs that may use each other's triggers, besides the known ones. Those that were read come first,
// each behind the packs whose triggers it uses.
func loadFolders(dirs []string, known []sensor.Trigger, set []string) []folder {
	var loaded []folder
	left := make([]folder, len(dirs))
	for i, dir := range dirs {
		left[i].dir = dir
	}
	for progress := true; progress && len(left) > 0; {
		progress = false
		var failed []folder
		for _, f := range left {
			f.pack, f.err = pack.Load(f.dir, pack.Options{
				Known: known, Set: overrides(f.dir, len(dirs), set), Warn: func(p pack.Problem) { f.odd = append(f.odd, p) },
			})
			if f.err != nil {
				failed = append(failed, f)
				continue
			}
			known = append(known, f.pack.Triggers...)
			loaded = append(loaded, f)
			progress = true
		}
		left = failed
	}
	return append(loaded, left...)
}

// overrides returns those of the --set expressions that are for the pack in a folder: with several folders, the ones
// whose sensor has the ref of the pack in front.
func overrides(dir string, dirs int, set []string) []string {
	if dirs == 1 {
		return set
	}
	ref := peek(dir)
	var own []string
	for _, expression := range set {
		if sensor.PackOf(expression) == ref {
			own = append(own, expression)
		}
	}
	return own
}

// peek returns the ref of the pack in a folder; "" if it is not to be had, which loading the pack reports.
func peek(dir string) string {
	text, err := os.ReadFile(filepath.Join(dir, "pack.yaml"))
	if err != nil {
		return ""
	}
	var head struct {
		Ref string `yaml:"ref"`
	}
	if err := yaml.Unmarshal(text, &head); err != nil {
		return ""
	}
	return head.Ref
}

// checkOverrides refuses --set expressions that are for none of several folders.
func checkOverrides(dirs, set []string) error {
	if len(dirs) == 1 {
		return nil
	}
	var refs []string
	for _, dir := range dirs {
		refs = append(refs, peek(dir))
	}
	for _, expression := range set {
		if !slices.Contains(refs, sensor.PackOf(expression)) {
			return fmt.Errorf("--set %s is for none of the packs %s: write SENSOR_REF.KEY=VALUE", expression, strings.Join(refs, ", "))
		}
	}
	return nil
}

// corePack returns the pack that comes with the program.
func corePack() (sensor.Pack, error) {
	fsys, err := packs.Core()
	if err == nil {
		var core sensor.Pack
		if core, err = pack.LoadFS(fsys, pack.Options{}); err == nil {
			return core, nil
		}
	}
	return sensor.Pack{}, fmt.Errorf("reading the core pack: %w", err)
}

// problem is one thing that is wrong with a pack, for programs.
type problem struct {
	Dir     string `json:"dir"`
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
}

// refuse reports what is wrong with folders; nil if nothing is.
func (s *session) refuse(folders []folder) error {
	var all []problem
	for _, f := range folders {
		all = append(all, f.problems()...)
	}
	if len(all) == 0 {
		return nil
	}
	if s.format != formatTable {
		if err := s.format.encode(s.env.Stdout, map[string]any{"problems": all}); err != nil {
			return err
		}
		return no{}
	}
	for _, p := range all {
		file := filepath.Join(p.Dir, p.File)
		if p.File == setFlag {
			file = p.File
		}
		fmt.Fprintln(s.env.Stdout, pack.Problem{File: file, Line: p.Line, Field: p.Field, Message: p.Message})
	}
	return no{count(len(all), "problem", "problems")}
}

// warnings returns what is probably a slip in a folder, and tells people of it.
func (s *session) warnings(f folder) []problem {
	var all []problem
	for _, p := range f.odd {
		all = append(all, problem{Dir: f.dir, File: p.File, Line: p.Line, Field: p.Field, Message: p.Message})
		p.File = filepath.Join(f.dir, p.File)
		s.warn("warning: %s", p)
	}
	return all
}

func (f folder) problems() []problem {
	if f.err == nil {
		return nil
	}
	found, ok := errors.AsType[pack.Problems](f.err)
	if !ok {
		return []problem{{Dir: f.dir, Message: f.err.Error()}}
	}
	var all []problem
	for _, p := range found {
		all = append(all, problem{Dir: f.dir, File: p.File, Line: p.Line, Field: p.Field, Message: p.Message})
	}
	return all
}

// Package pack reads a pack's folder: pack.yaml, the definitions in triggers/, sensors/ and rules/, and the code beside
// them. Whatever is wrong with any of it is reported at once, with file, line, field and remedy.
package pack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/attune-automation/sensors/internal/expression"
	"github.com/attune-automation/sensors/internal/schema"
	"github.com/attune-automation/sensors/internal/sensor"
)

// packFile describes the pack itself; folders hold its definitions.
const packFile = "pack.yaml"

var folders = []string{"triggers", "sensors", "rules"}

// Options say what Load goes by besides the folder.
type Options struct {
	Known []sensor.Trigger // triggers that sensors and rules of this pack may name though another pack defines them
	Warn  func(Problem)    // is told what is probably a slip, though the pack can be applied; nil: nobody
	Set   []string         // SENSOR_REF.KEY=VALUE: replaces a value in a sensor's config; KEY is a dotted path
}

// Load reads and checks the pack in a folder. If the folder can be read but is no good pack, the error is Problems.
func Load(dir string, opts Options) (sensor.Pack, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return sensor.Pack{}, fmt.Errorf("opening the pack's folder %q: %s", dir, cause(err))
	}
	defer root.Close()
	return LoadFS(root.FS(), opts)
}

// LoadFS is Load for a file system whose root is the pack's folder.
func LoadFS(fsys fs.FS, opts Options) (sensor.Pack, error) {
	l := &loader{documents: map[string][]*document{}, triggers: map[string]*trigger{}}
	tree, err := readTree(fsys, &l.problems)
	if err != nil {
		return sensor.Pack{}, fmt.Errorf("reading the pack's folder: %w", err)
	}
	l.tree = tree
	l.read()
	for _, expression := range opts.Set {
		l.override(expression)
	}
	l.definePack()
	l.defineTriggers(opts.Known)
	l.defineSensors()
	l.readSamples()
	l.defineRules()
	if len(l.problems) == 0 {
		l.pack.Archive, l.pack.Digest, err = tree.archive()
	}
	if len(l.problems) > 0 {
		l.problems.sort()
		return sensor.Pack{}, l.problems
	}
	l.warn(opts.Warn)
	return l.pack, err
}

// loader is the state of one Load.
type loader struct {
	tree      *tree
	documents map[string][]*document // by folder; packFile's under its own name
	triggers  map[string]*trigger    // by ref: the pack's own and the known ones
	pack      sensor.Pack
	problems  Problems
	warnings  Problems
}

// warn tells what is probably a slip.
func (l *loader) warn(tell func(Problem)) {
	l.warnings.sort()
	for _, w := range l.warnings {
		if tell != nil {
			tell(w)
		}
	}
}

// trigger is what definitions that name a trigger are checked against.
type trigger struct {
	params  *schema.Schema     // nil: any config
	out     *expression.Schema // what its payloads are like
	samples []sample           // payloads that it may have
}

func (l *loader) read() {
	l.readDocument(packFile, packFile)
	for _, folder := range folders {
		for _, name := range l.tree.definitions(folder) {
			l.readDocument(folder, name)
		}
	}
}

func (l *loader) readDocument(group, name string) {
	text, err := fs.ReadFile(l.tree.fsys, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.problems = append(l.problems, Problem{File: name, Message: "missing: write one with at least ref"})
		return
	case err != nil:
		l.problems = append(l.problems, Problem{File: name, Message: "cannot be read: " + cause(err)})
		return
	}
	if doc := parseDocument(name, text, &l.problems); doc != nil {
		l.documents[group] = append(l.documents[group], doc)
	}
}

func (l *loader) definePack() {
	for _, doc := range l.documents[packFile] {
		s := newSection(doc, doc.root, nil, "ref", "label", "description", "version")
		ref := s.required("ref", "write the pack's name, such as github")
		if err := sensor.CheckPackRef(ref); err == nil {
			l.pack.Ref = ref
		} else if ref != "" {
			s.report("ref", "%v", err)
		}
		l.pack.Label = s.text("label", ref)
		l.pack.Description = s.text("description", "")
		l.pack.Version = s.text("version", "")
	}
}

// define calls f with each definition of a folder. It checks what all of them have in common: a ref that is the pack's
// and that no other definition of the folder has.
func (l *loader) define(folder string, keys []string, f func(s section, ref string)) {
	first := map[string]string{}
	for _, doc := range l.documents[folder] {
		s := newSection(doc, doc.root, nil, keys...)
		ref := s.required("ref", fmt.Sprintf("write %s.NAME", l.packRef()))
		place := fmt.Sprintf("%s:%d", doc.name, doc.line([]string{"ref"}))
		switch err := sensor.CheckRef(ref); {
		case ref == "":
		case err != nil:
			s.report("ref", "%v", err)
		case l.pack.Ref != "" && sensor.PackOf(ref) != l.pack.Ref:
			_, name, _ := strings.Cut(ref, ".")
			s.report("ref", "%q is not in pack %q: write %s.%s", ref, l.pack.Ref, l.pack.Ref, name)
		case first[ref] != "":
			s.report("ref", "%q is defined in %s already: rename one", ref, first[ref])
		default:
			first[ref] = place
		}
		f(s, ref)
	}
}

func (l *loader) packRef() string {
	if l.pack.Ref == "" {
		return "PACK"
	}
	return l.pack.Ref
}

// trigger returns the ref of the one trigger that a definition names.
func (l *loader) trigger(s section) string {
	ref := s.required("trigger", "write the ref of a trigger")
	if ref != "" {
		l.checkTrigger(s, []string{"trigger"}, ref)
	}
	return ref
}

// checkTrigger reports at keys, below the section, that there is no such trigger.
func (l *loader) checkTrigger(s section, keys []string, ref string) {
	if _, ok := l.triggers[ref]; ok {
		return
	}
	switch err := sensor.CheckRef(ref); {
	case err != nil:
		s.reportAt(keys, "%v", err)
	case sensor.PackOf(ref) == l.pack.Ref:
		s.reportAt(keys, "unknown trigger %q: define it in triggers/, or %s", ref, didYouMean(ref, l.triggerRefs()))
	default:
		s.reportAt(keys, "unknown trigger %q: apply the pack that defines it first, or %s", ref, didYouMean(ref, l.triggerRefs()))
	}
}

func (l *loader) triggerRefs() []string {
	refs := make([]string, 0, len(l.triggers))
	for ref := range l.triggers {
		if sensor.CheckRef(ref) == nil {
			refs = append(refs, ref)
		}
	}
	slices.Sort(refs)
	return refs
}

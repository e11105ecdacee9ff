// Package skeleton writes the first version of a sensor into a pack's folder: a definition, a trigger, code that runs as
// it is, and a test. It is meant to be read by who has never written a sensor, and then to be changed.
package skeleton

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/attune-automation/sensors/internal/sensor"
)

//go:embed files
var embedded embed.FS

// Config says what to write, and where.
type Config struct {
	Dir     string // the pack's folder; made if it is missing
	Name    string // NAME or PACK.NAME
	Runtime string // without its pack: python3, nodejs or exec
}

// Sensor is what was written.
type Sensor struct {
	Ref   string   // of the sensor and of its trigger
	Name  string   // Ref without the pack
	Files []string // below the pack's folder, slash-separated, in the order in which one reads them
}

// Runtimes returns the runtimes that there are skeletons for.
func Runtimes() []string { return []string{"python3", "nodejs", "exec"} }

// extensions are those of the code, by runtime.
func extensions() map[string]string {
	return map[string]string{"python3": ".py", "nodejs": ".mjs", "exec": ".sh"}
}

// Write writes a sensor, and pack.yaml if the folder has none. It never overwrites: if any of the files is there, it
// writes none.
func Write(cfg Config) (Sensor, error) {
	if !slices.Contains(Runtimes(), cfg.Runtime) {
		return Sensor{}, fmt.Errorf("unknown runtime %q: use one of %s", cfg.Runtime, strings.Join(Runtimes(), ", "))
	}
	pack, isNew, err := packOf(cfg)
	if err != nil {
		return Sensor{}, err
	}
	name := strings.TrimPrefix(cfg.Name, pack+".")
	ref := pack + "." + name
	if err := sensor.CheckRef(ref); err != nil {
		return Sensor{}, err
	}
	if strings.HasPrefix(name, ".") {
		return Sensor{}, fmt.Errorf("bad name %q: its files would be hidden; begin it with a letter", name)
	}
	files, err := render(values{
		Pack: pack, Ref: ref, Name: name, Label: label(name), Runtime: cfg.Runtime, Extension: extensions()[cfg.Runtime],
	}, isNew)
	if err != nil {
		return Sensor{}, err
	}
	if err := write(cfg.Dir, files); err != nil {
		return Sensor{}, err
	}
	written := Sensor{Ref: ref, Name: name}
	for _, f := range files {
		written.Files = append(written.Files, f.name)
	}
	return written, nil
}

// packOf returns the ref of the pack in the folder, or of the one that the folder is to become.
func packOf(cfg Config) (ref string, isNew bool, err error) {
	named, _, qualified := strings.Cut(cfg.Name, ".")
	if !qualified {
		named = ""
	}
	path := filepath.Join(cfg.Dir, "pack.yaml")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newPack(cfg.Dir, named)
	}
	if err != nil {
		return "", false, err
	}
	var head struct {
		Ref string `yaml:"ref"`
	}
	if err := yaml.Unmarshal(text, &head); err != nil {
		return "", false, fmt.Errorf("%s is not YAML: %w", path, err)
	}
	if err := sensor.CheckPackRef(head.Ref); err != nil {
		return "", false, fmt.Errorf("%s: %w", path, err)
	}
	if qualified && named != head.Ref {
		_, name, _ := strings.Cut(cfg.Name, ".")
		return "", false, fmt.Errorf("%q is not in pack %q of folder %s: write %s.%s, or --dir with another folder",
			cfg.Name, head.Ref, cfg.Dir, head.Ref, name)
	}
	return head.Ref, false, nil
}

// newPack names a pack after what the user wrote, or after its folder.
func newPack(dir, named string) (ref string, isNew bool, err error) {
	if named != "" {
		return named, true, sensor.CheckPackRef(named)
	}
	full, err := filepath.Abs(dir)
	if err != nil {
		return "", false, err
	}
	ref = filepath.Base(full)
	if err := sensor.CheckPackRef(ref); err != nil {
		return "", false, fmt.Errorf("the folder's name is no name for a pack: write PACK.NAME instead of NAME, such as inbox.door: %w", err)
	}
	return ref, true, nil
}

// label is a name for people: file_count becomes File count.
func label(name string) string {
	words := strings.NewReplacer("_", " ", "-", " ", ".", " ").Replace(name)
	return strings.ToUpper(words[:1]) + words[1:]
}

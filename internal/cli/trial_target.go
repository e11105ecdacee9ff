package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/attune-automation/sensors/internal/fixture"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

// target is the sensor that is tested, and what surrounds it.
type target struct {
	source   string // the folder, or database
	sensor   sensor.Sensor
	triggers map[string]sensor.Trigger // the sensor's, by ref
	rules    []sensor.Rule             // those of any of the sensor's triggers
	cursor   json.RawMessage           // nil: from the beginning
	archives archives
	store    *store.Store // nil: the source is a folder
}

// archives fetches the files of packs.
type archives interface {
	PackArchive(ctx context.Context, digest string) ([]byte, error)
}

// archive is the only pack there is.
type archive sensor.Pack

func (a archive) PackArchive(_ context.Context, digest string) ([]byte, error) {
	if digest != a.Digest {
		return nil, fmt.Errorf("pack archive %s: %w", digest, sensor.ErrNotFound)
	}
	return a.Archive, nil
}

// sourceDatabase is the source of a target that is no folder.
const sourceDatabase = "database"

func (s *session) findTarget(ctx context.Context, args []string, t trial, given fixture.Fixture) (*target, error) {
	if isFolder(args[0]) {
		return s.folderTarget(args, t, given)
	}
	switch {
	case sensor.CheckRef(args[0]) != nil:
		return nil, fmt.Errorf("%q is neither the ref of a sensor nor a pack's folder: write PACK.NAME, or a folder with a pack.yaml", args[0])
	case len(args) > 1:
		return nil, errors.New("several refs: test one sensor at a time")
	case t.sensor != "":
		return nil, fmt.Errorf("--sensor chooses from a folder, and %s is a ref: leave it out", args[0])
	}
	return s.storedTarget(ctx, args[0])
}

// isFolder says whether an argument means a folder. A ref may have the name of one, which then has to be a pack's.
func isFolder(argument string) bool {
	if strings.ContainsRune(argument, filepath.Separator) || strings.Trim(argument, ".") == "" {
		return true
	}
	info, err := os.Stat(argument)
	if err != nil || !info.IsDir() {
		return false
	}
	_, err = os.Stat(filepath.Join(argument, "pack.yaml"))
	return err == nil || sensor.CheckRef(argument) != nil
}

func (s *session) folderTarget(dirs []string, t trial, given fixture.Fixture) (*target, error) {
	core, err := corePack()
	if err != nil {
		return nil, err
	}
	folders := loadFolders(dirs, core.Triggers, nil)
	if err := s.refuse(folders); err != nil {
		return nil, err
	}
	all := target{source: dirs[0], triggers: map[string]sensor.Trigger{}}
	triggers := core.Triggers
	for _, f := range folders {
		triggers = append(triggers, f.pack.Triggers...)
		all.rules = append(all.rules, f.pack.Rules...)
		if f.dir != dirs[0] {
			continue
		}
		all.archives = archive(f.pack)
		if all.sensor, err = chooseSensor(f.pack, t.sensor, given.Sensor); err != nil {
			return nil, err
		}
		all.sensor.PackDigest = f.pack.Digest
	}
	all.narrow(triggers)
	return &all, nil
}

// chooseSensor returns the sensor that the flag or the fixture names, or the only one that the pack has.
func chooseSensor(p sensor.Pack, named, fixed string) (sensor.Sensor, error) {
	var refs []string
	for _, def := range p.Sensors {
		refs = append(refs, def.Ref)
	}
	if named == "" {
		named = fixed
	}
	if named == "" {
		switch len(refs) {
		case 0:
			return sensor.Sensor{}, fmt.Errorf("pack %s has no sensor: `starter sensor new` writes one", p.Ref)
		case 1:
			return p.Sensors[0], nil
		}
		return sensor.Sensor{}, fmt.Errorf("pack %s has several sensors: name one with --sensor: %s", p.Ref, strings.Join(refs, ", "))
	}
	for _, def := range p.Sensors {
		if def.Ref == named || def.Ref == p.Ref+"."+named {
			return def, nil
		}
	}
	return sensor.Sensor{}, fmt.Errorf("pack %s has no sensor %q: its sensors are %s", p.Ref, named, strings.Join(refs, ", "))
}

func (s *session) storedTarget(ctx context.Context, ref string) (*target, error) {
	db, err := s.store(ctx)
	if err != nil {
		return nil, err
	}
	turn, err := db.Turn(ctx, ref)
	if err != nil {
		return nil, unknownSensor(ctx, db, ref, err)
	}
	triggers, err := db.Triggers(ctx)
	if err != nil {
		return nil, err
	}
	rules, err := db.Rules(ctx, store.RuleFilter{})
	if err != nil {
		return nil, err
	}
	t := &target{
		source: sourceDatabase, sensor: turn.Sensor, cursor: turn.Cursor, rules: rules, archives: db, store: db,
		triggers: map[string]sensor.Trigger{},
	}
	t.narrow(triggers)
	return t, nil
}

// narrow keeps what has to do with the sensor's triggers.
func (t *target) narrow(triggers []sensor.Trigger) {
	for _, trigger := range triggers {
		if slices.Contains(t.sensor.TriggerRefs, trigger.Ref) {
			t.triggers[trigger.Ref] = trigger
		}
	}
	t.rules = slices.DeleteFunc(slices.Clone(t.rules), func(r sensor.Rule) bool {
		return !slices.Contains(t.sensor.TriggerRefs, r.TriggerRef)
	})
}

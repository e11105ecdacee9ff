package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/attune-automation/sensors/internal/fixture"
	"github.com/attune-automation/sensors/internal/schema"
	"github.com/attune-automation/sensors/internal/secret"
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

// override puts config and cursor of the fixture and of the flags in the place of the target's own.
func (s *session) override(t *target, flags trial, given fixture.Fixture) error {
	if flags.cursor == "-" && flags.config == "-" {
		return errors.New("--cursor and --config cannot both be the standard input: write one as @FILE")
	}
	if given.Sensor != "" && given.Sensor != t.sensor.Ref {
		return fmt.Errorf("the fixture is one of sensor %s, not of %s: choose another", given.Sensor, t.sensor.Ref)
	}
	if flags.expect != "" || flags.replay != "" {
		t.cursor = given.Cursor
	}
	if flags.cursor != "" {
		var err error
		if t.cursor, err = s.readJSON("--cursor", flags.cursor); err != nil {
			return err
		}
	}
	if string(t.cursor) == "null" {
		t.cursor = nil
	}
	return s.overrideConfig(t, flags, given)
}

func (s *session) overrideConfig(t *target, flags trial, given fixture.Fixture) error {
	if given.Config != nil {
		t.sensor.Config = given.Config
	}
	if flags.config != "" {
		raw, err := s.readJSON("--config", flags.config)
		if err != nil {
			return err
		}
		if t.sensor.Config, err = merge(t.sensor.Config, raw); err != nil {
			return fmt.Errorf("--config: %w", err)
		}
	}
	if flags.config == "" && given.Config == nil {
		return nil
	}
	return t.checkConfig()
}

// merge returns a config with the keys of another in the place of its own.
func merge(config, over json.RawMessage) (json.RawMessage, error) {
	all, keys := map[string]json.RawMessage{}, map[string]json.RawMessage(nil)
	if err := json.Unmarshal(over, &keys); err != nil || keys == nil {
		return nil, errors.New("write an object, such as {\"limit\": 5}")
	}
	if len(config) > 0 {
		if err := json.Unmarshal(config, &all); err != nil {
			return nil, err
		}
	}
	maps.Copy(all, keys)
	return json.Marshal(all)
}

// checkConfig checks a config that did not come with the pack by the schemas that those of the pack are checked by.
func (t *target) checkConfig() error {
	if err := schema.CheckPayload(t.sensor.Config); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	references, err := secret.References(t.sensor.Config)
	if err != nil {
		return err
	}
	open := func(path []string) bool {
		return slices.ContainsFunc(references, func(r secret.Reference) bool { return slices.Equal(r.Path, path) })
	}
	schemas := []json.RawMessage{t.sensor.ParamSchema}
	for _, ref := range t.sensor.TriggerRefs {
		schemas = append(schemas, t.triggers[ref].ParamSchema)
	}
	for _, raw := range schemas {
		if len(raw) == 0 {
			continue
		}
		compiled, err := schema.Compile("param_schema", raw)
		if err != nil {
			return err
		}
		if err := compiled.CheckOpen("config", t.sensor.Config, open); err != nil {
			return err
		}
	}
	return nil
}

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/store"
)

const (
	closeMost  = 3   // refs that an error names
	closeLeast = 0.4 // similarity below which a ref was not meant
	closeBest  = 0.8 // and below which it was not, measured by the most similar one
)

// unknownSensor says which sensors may have been meant when err is that there is none of that ref.
func unknownSensor(ctx context.Context, db *store.Store, ref string, err error) error {
	return unknown("sensor", "sensors", ref, err, func() ([]string, error) { return sensorRefs(ctx, db) })
}

// unknownTrigger says which triggers may have been meant when err is that there is none of that ref.
func unknownTrigger(ctx context.Context, db *store.Store, ref string, err error) error {
	return unknown("trigger", "triggers", ref, err, func() ([]string, error) { return triggerRefs(ctx, db) })
}

func unknown(kind, command, ref string, err error, refs func() ([]string, error)) error {
	if !errors.Is(err, sensor.ErrNotFound) {
		return err
	}
	known, listErr := refs()
	if listErr != nil {
		return err
	}
	if near := closest(ref, known); len(near) > 0 {
		return fmt.Errorf("there is no %s %q: did you mean %s?", kind, ref, strings.Join(near, " or "))
	}
	return fmt.Errorf("there is no %s %q: `starter %s` lists all", kind, ref, command)
}

func sensorRefs(ctx context.Context, db *store.Store) ([]string, error) {
	sensors, err := db.Sensors(ctx)
	refs := make([]string, len(sensors))
	for i, s := range sensors {
		refs[i] = s.Ref
	}
	return refs, err
}

func triggerRefs(ctx context.Context, db *store.Store) ([]string, error) {
	triggers, err := db.Triggers(ctx)
	refs := make([]string, len(triggers))
	for i, t := range triggers {
		refs[i] = t.Ref
	}
	return refs, err
}

// closest returns the refs most like the given one, the best first.
func closest(ref string, refs []string) []string {
	type candidate struct {
		ref   string
		score float64
	}
	var near []candidate
	for _, known := range refs {
		if score := similarity(ref, known); score >= closeLeast {
			near = append(near, candidate{known, score})
		}
	}
	slices.SortFunc(near, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.ref, b.ref))
	})
	var best []string
	for _, c := range near[:min(len(near), closeMost)] {
		if c.score >= closeBest*near[0].score {
			best = append(best, c.ref)
		}
	}
	return best
}

// similarity is how many pairs of neighbouring letters two refs share, from 0 to 1 (Dice's coefficient): a ref without
// its pack, or with its words in another order, is still like it.
func similarity(a, b string) float64 {
	if len(a) < 2 || len(b) < 2 {
		return 0
	}
	pairs := map[string]int{}
	for i := range len(a) - 1 {
		pairs[a[i:i+2]]++
	}
	shared := 0
	for i := range len(b) - 1 {
		if pair := b[i : i+2]; pairs[pair] > 0 {
			pairs[pair]--
			shared++
		}
	}
	return 2 * float64(shared) / float64(len(a)+len(b)-2)
}

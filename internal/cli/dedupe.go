package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/internal/store"
)

// keyRow is a key as people and programs see it.
type keyRow struct {
	Key            string     `json:"key"`
	EventID        *int64     `json:"event_id,omitempty"` // none: not written yet, or deleted since
	Created        time.Time  `json:"created"`
	Expires        time.Time  `json:"expires"`
	Suppressed     int64      `json:"suppressed"`
	LastSuppressed *time.Time `json:"last_suppressed,omitempty"`
}

// cleared is what dedupe clear did.
type cleared struct {
	Ref     string `json:"ref"`
	Cleared int    `json:"cleared"`
}

func newDedupe(s *session) *cobra.Command {
	c := &cobra.Command{
		Use:   "dedupe",
		Short: "List the keys that suppress repeated events, and clear them",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newDedupeList(s), newDedupeClear(s))
	return c
}

func newDedupeList(s *session) *cobra.Command {
	most := rowLimit
	c := &cobra.Command{
		Use:   "list REF",
		Short: "List the keys of a sensor's events that suppress repetitions, newest first",
		Long: `List the keys of a sensor's events that suppress repetitions, newest first: the event that has the key, since when and
until when it suppresses others, and how many it has suppressed. Keys that have expired are not listed.`,
		Example: `  starter dedupe list examples.git_commits
  starter dedupe list examples.git_commits --limit 1000 -o json | jq -r '.[] | select(.suppressed > 0).key'`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: s.completeSensor(),
		RunE: func(c *cobra.Command, args []string) error {
			return s.listKeys(c.Context(), store.KeyFilter{SensorRef: args[0], Limit: int(most)})
		},
	}
	c.Flags().Var(&most, "limit", "at most this many")
	return c
}

func (s *session) listKeys(ctx context.Context, filter store.KeyFilter) error {
	db, err := s.store(ctx)
	if err != nil {
		return err
	}
	keys, err := db.Keys(ctx, filter)
	if err != nil {
		return unknownSensor(ctx, db, filter.SensorRef, err)
	}
	rows := make([]keyRow, len(keys))
	for i, k := range keys {
		rows[i] = keyRow{
			Key: k.Key, EventID: k.EventID, Created: k.Created, Expires: k.Expires, Suppressed: k.Suppressed,
			LastSuppressed: k.LastSuppressed,
		}
	}
	return list(s, rows,
		column[keyRow]{"KEY", func(r keyRow) string { return r.Key }},
		column[keyRow]{"EVENT", func(r keyRow) string { return optionalID(r.EventID) }},
		column[keyRow]{"CREATED", func(r keyRow) string { return moment(r.Created) }},
		column[keyRow]{"EXPIRES", func(r keyRow) string { return moment(r.Expires) }},
		column[keyRow]{"SUPPRESSED", func(r keyRow) string { return strconv.FormatInt(r.Suppressed, 10) }},
		column[keyRow]{"LAST", func(r keyRow) string { return optionalMoment(r.LastSuppressed) }},
	)
}

func newDedupeClear(s *session) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "clear REF [KEY...]",
		Short: "Forget keys of a sensor, so that the next events with them are taken again",
		Long: `Forget keys of a sensor, so that the next events with them are taken again. Name the keys, or forget all of them with
--all. Events that are there stay.

The exit code is 1 if there is none of the keys.`,
		Example: `  starter dedupe clear examples.git_commits 4fed909091de9d30819104cab6f81a095d24af7d
  starter dedupe clear examples.git_commits --all`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: s.completeSensor(),
		RunE: func(c *cobra.Command, args []string) error {
			ref, keys := args[0], args[1:]
			switch {
			case all && len(keys) > 0:
				return errors.New("--all forgets every key: name keys, or use --all, not both")
			case !all && len(keys) == 0:
				return fmt.Errorf("which keys? name them, or forget all with --all: `starter dedupe list %s` shows them", ref)
			case all:
				keys = nil
			}
			return s.clearKeys(c.Context(), ref, keys)
		},
	}
	c.Flags().BoolVar(&all, "all", false, "forget every key of the sensor")
	return c
}

func (s *session) clearKeys(ctx context.Context, ref string, keys []string) error {
	db, err := s.store(ctx)
	if err != nil {
		return err
	}
	n, err := db.ClearKeys(ctx, ref, keys)
	if err != nil {
		return unknownSensor(ctx, db, ref, err)
	}
	if s.format != formatTable {
		if err := s.format.encode(s.env.Stdout, cleared{Ref: ref, Cleared: n}); err != nil {
			return err
		}
	}
	switch {
	case keys == nil:
		s.say("forgot %s of sensor %s", count(n, "key", "keys"), ref)
	case n == 0:
		return no{fmt.Sprintf("sensor %s has none of these keys: `starter dedupe list %s` shows those that it has", ref, ref)}
	default:
		s.say("forgot %d of %s of sensor %s", n, count(len(keys), "key", "keys"), ref)
	}
	return nil
}

func optionalID(id *int64) string {
	if id == nil {
		return ""
	}
	return strconv.FormatInt(*id, 10)
}

func optionalMoment(t *time.Time) string {
	if t == nil {
		return ""
	}
	return moment(*t)
}

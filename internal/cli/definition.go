package cli

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"
)

// triggerRow is a trigger as people and programs see it.
type triggerRow struct {
	Ref         string          `json:"ref"`
	PackRef     string          `json:"pack_ref"`
	Label       string          `json:"label"`
	Description string          `json:"description,omitempty"`
	Enabled     bool            `json:"enabled"`
	ParamSchema json.RawMessage `json:"param_schema"` // null: any config
	OutSchema   json.RawMessage `json:"out_schema"`   // null: any payload
}

func newTriggers(s *session) *cobra.Command {
	var pack string
	var most limit
	c := &cobra.Command{
		Use:   "triggers",
		Short: "List the triggers",
		Example: `  starter triggers --pack examples
  starter triggers -o yaml`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			rows, err := s.triggerRows(c.Context(), pack)
			if err != nil {
				return err
			}
			return list(s, cut(rows, most),
				column[triggerRow]{"TRIGGER", func(r triggerRow) string { return r.Ref }},
				column[triggerRow]{"ENABLED", func(r triggerRow) string { return yesNo(r.Enabled) }},
				column[triggerRow]{"LABEL", func(r triggerRow) string { return r.Label }},
				column[triggerRow]{"DESCRIPTION", func(r triggerRow) string { return r.Description }},
			)
		},
	}
	c.Flags().StringVar(&pack, "pack", "", "only those of this `PACK`")
	c.Flags().Var(&most, "limit", "at most this many (default all)")
	return c
}

func (s *session) triggerRows(ctx context.Context, pack string) ([]triggerRow, error) {
	db, err := s.store(ctx)
	if err != nil {
		return nil, err
	}
	triggers, err := db.Triggers(ctx)
	if err != nil {
		return nil, err
	}
	var rows []triggerRow
	for _, t := range triggers {
		if pack == "" || pack == t.PackRef {
			rows = append(rows, triggerRow{
				Ref: t.Ref, PackRef: t.PackRef, Label: t.Label, Description: t.Description, Enabled: t.Enabled,
				ParamSchema: t.ParamSchema, OutSchema: t.OutSchema,
			})
		}
	}
	return rows, nil
}

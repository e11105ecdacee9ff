package cli

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/attune-automation/sensors/internal/store"
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

// ruleRow is a rule as people and programs see it.
type ruleRow struct {
	Ref          string          `json:"ref"`
	PackRef      string          `json:"pack_ref"`
	Label        string          `json:"label"`
	Description  string          `json:"description,omitempty"`
	TriggerRef   string          `json:"trigger_ref"`
	Enabled      bool            `json:"enabled"`
	Condition    string          `json:"condition"`
	Conditions   json.RawMessage `json:"conditions"`
	ActionRef    string          `json:"action_ref"`
	ActionParams json.RawMessage `json:"action_params"`
}

func newRules(s *session) *cobra.Command {
	var filter store.RuleFilter
	var most limit
	c := &cobra.Command{
		Use:   "rules",
		Short: "List the rules",
		Example: `  starter rules --trigger examples.commit
  starter rules --pack examples -o yaml`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			rows, err := s.ruleRows(c.Context(), filter)
			if err != nil {
				return err
			}
			return list(s, cut(rows, most),
				column[ruleRow]{"RULE", func(r ruleRow) string { return r.Ref }},
				column[ruleRow]{"ENABLED", func(r ruleRow) string { return yesNo(r.Enabled) }},
				column[ruleRow]{"TRIGGER", func(r ruleRow) string { return r.TriggerRef }},
				column[ruleRow]{"ACTION", func(r ruleRow) string { return r.ActionRef }},
				column[ruleRow]{"CONDITIONS", func(r ruleRow) string { return r.Condition + " of " + string(r.Conditions) }},
			)
		},
	}
	c.Flags().StringVar(&filter.TriggerRef, "trigger", "", "only those of the trigger with this `REF`")
	c.Flags().StringVar(&filter.PackRef, "pack", "", "only those of this `PACK`")
	c.Flags().Var(&most, "limit", "at most this many (default all)")
	s.completeRefFlag(c, "trigger", triggerRefs)
	return c
}

func (s *session) ruleRows(ctx context.Context, filter store.RuleFilter) ([]ruleRow, error) {
	db, err := s.store(ctx)
	if err != nil {
		return nil, err
	}
	rules, err := db.Rules(ctx, filter)
	if err != nil {
		return nil, err
	}
	rows := make([]ruleRow, len(rules))
	for i, r := range rules {
		rows[i] = ruleRow{
			Ref: r.Ref, PackRef: r.PackRef, Label: r.Label, Description: r.Description, TriggerRef: r.TriggerRef,
			Enabled: r.Enabled, Condition: r.Condition, Conditions: r.Conditions, ActionRef: r.ActionRef,
			ActionParams: r.ActionParams,
		}
	}
	return rows, nil
}

func ruleRefs(ctx context.Context, db *store.Store) ([]string, error) {
	rules, err := db.Rules(ctx, store.RuleFilter{})
	refs := make([]string, len(rules))
	for i, r := range rules {
		refs[i] = r.Ref
	}
	return refs, err
}

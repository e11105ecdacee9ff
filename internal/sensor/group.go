package sensor

import (
	"context"
	"encoding/json"
	"time"
)

// Grouping says to which group of its rule a match belongs.
type Grouping struct {
	Key string // the fields that the rule groups by and their values, as JSON
	// Render returns the action's parameters for the event and its group, a Group as JSON: nil, if they are those of the
	// rule. If they cannot be rendered, the reason says why, and it is the same each time. The error is that of the context.
	Render func(ctx context.Context, group json.RawMessage) (params json.RawMessage, reason string, err error)
}

// Group is what an enforcement says of the matches that it stands for, the member group of its config.
type Group struct {
	ID     int64           `json:"id"`
	By     json.RawMessage `json:"by"`    // the fields that the rule groups by, and their values
	Count  int             `json:"count"` // of all of the matches
	Since  time.Time       `json:"since"` // when the first of their events was recorded
	Until  time.Time       `json:"until"` // and the last
	Events []GroupEvent    `json:"events"`
}

// GroupEvent is the event of a match that an enforcement stands for.
type GroupEvent struct {
	ID         int64           `json:"id"`
	TriggerRef string          `json:"trigger_ref"`
	Part       string          `json:"part,omitempty"` // of a correlation
	Created    time.Time       `json:"created"`
	Payload    json.RawMessage `json:"payload"` // null: the payloads of later events have taken all the room
}

// What an enforcement lists of its group at most: the latest events, and so many bytes of their payloads.
const (
	MaxGroupEvents   = 100
	MaxGroupPayloads = 256 << 10
)

// NewGroup returns the group of these events, in the order in which they came: the latest that there is room for.
func NewGroup(id int64, key string, count int, since time.Time, events []GroupEvent) Group {
	g := Group{ID: id, By: json.RawMessage(key), Count: count, Since: since}
	g.Events = append([]GroupEvent{}, events[max(0, len(events)-MaxGroupEvents):]...)
	room := MaxGroupPayloads
	for i := len(g.Events) - 1; i >= 0; i-- {
		if room -= len(g.Events[i].Payload); room < 0 {
			g.Events[i].Payload, room = nil, -1
		}
	}
	if last := len(g.Events) - 1; last >= 0 {
		g.Until = g.Events[last].Created
	}
	return g
}

// The statuses of a stored group.
const (
	GroupEarly     = "early"     // of a correlation: what it has is too early for it to begin
	GroupOpen      = "open"      // it takes matches
	GroupCompleted = "completed" // of a correlation: all parts came, and its enforcement is to be written
	GroupClosed    = "closed"    // its enforcement is written
	GroupDone      = "done"      // and confirmed by the broker
	GroupExpired   = "expired"   // of a correlation: not all parts came in time
	GroupCancelled = "cancelled" // of a correlation: the part came that must not
	GroupDropped   = "dropped"   // its rule is gone, or orders nothing any more
)

// GroupHead is what the workflow of a group needs to know of it.
type GroupHead struct {
	ID  int64     `json:"id"`
	Due time.Time `json:"due"` // when it is to be closed
	// Over says that there is nothing to wait for: a correlation is complete, or the part came that must not.
	Over bool   `json:"over,omitempty"`
	Rule string `json:"rule,omitempty"` // ref of the group's rule
	What string `json:"what,omitempty"` // what the rule makes of its matches, for people
}

// GroupRenderer returns how the enforcements of a rule's groups get their parameters.
type GroupRenderer func(r *Rule) GroupRender

// GroupRender returns the action's parameters for the event that the enforcement of a group is of, as Grouping's Render.
type GroupRender func(ctx context.Context, event *Event, group json.RawMessage) (params json.RawMessage, reason string, err error)

// ClosedGroup is what became of a group whose time had come.
type ClosedGroup struct {
	Status      string
	Reason      string        // why it has no enforcement, or what it waits for; empty: it has one
	Wait        time.Duration // until it can be closed; 0: it is
	Enforcement *Enforcement  // of one that is closed; nil: it has none, or all is done
	BatchID     int64         // of the enforcement's event
	Next        []GroupHead   // that follow it, with matches that came before it was closed
}

// Held is what a batch's matches came to that were held back.
type Held struct {
	Counts []HeldCount
	Groups []GroupHead // that the batch has opened, and whose workflow is to see to them
}

// HeldCount is how many matches of a trigger's events came to one state, see package throttle.
type HeldCount struct {
	TriggerRef string
	State      string
	Matches    int
}

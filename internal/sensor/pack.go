package sensor

// Pack is a folder of triggers, sensors, rules and sensor code, read and validated. Its parts are sorted by ref.
type Pack struct {
	Ref         string
	Label       string
	Description string
	Version     string
	Digest      string // SHA-256 of Archive in hex
	Archive     []byte // the folder's code as a gzipped tar, the same bytes for the same files
	Triggers    []Trigger
	Sensors     []Sensor
	Rules       []Rule
}

// ChangeAction is what an apply does to one part of a pack.
type ChangeAction string

// What an apply can do to one part of a pack.
const (
	ActionCreate ChangeAction = "create"
	ActionUpdate ChangeAction = "update"
	ActionDelete ChangeAction = "delete"
)

// Change is one difference between a pack's folder and what is stored.
type Change struct {
	Kind   string        `json:"kind"` // pack, trigger, sensor or rule
	Ref    string        `json:"ref"`
	Action ChangeAction  `json:"action"`
	Fields []FieldChange `json:"fields,omitempty"` // of an update
}

// FieldChange is one field of an update; values are as in the pack's files, compact JSON for structured ones.
type FieldChange struct {
	Field string `json:"field"`
	Old   string `json:"old"`
	New   string `json:"new"`
}

package filewatch

import (
	"encoding/json"
	"regexp"
	"time"

	"github.com/attune-automation/sensors/internal/runner/filewatch/glob"
	"github.com/attune-automation/sensors/internal/sensor"
)

// Mode says what a sensor looks for.
type Mode string

// The modes of a file sensor.
const (
	ModeWatch Mode = "watch" // files that come, change, move and go
	ModeTail  Mode = "tail"  // lines that are appended to files
)

// Change is what happened to a file.
type Change string

// What can happen to a file.
const (
	Created  Change = "created"
	Modified Change = "modified"
	Deleted  Change = "deleted"
	Moved    Change = "moved"
)

func changes() []string {
	return []string{string(Created), string(Modified), string(Deleted), string(Moved)}
}

// What a config may ask for, and what holds when it does not say.
const (
	defaultSettle  = 2 * time.Second
	maxSettle      = time.Hour
	maxPaths       = 100
	maxPatterns    = 100
	defaultMaxLine = 64 << 10
	minMaxLine     = 256
	maxMaxLine     = 256 << 10
	defaultFlush   = 5 * time.Second
	defaultPartial = 5 * time.Minute
	maxWait        = 24 * time.Hour
)

// Config is what a file sensor is to do.
type Config struct {
	Mode   Mode
	Paths  []glob.Pattern
	Ignore glob.Ignore
	Follow bool   // symbolic links below the beginning of a path
	Scope  string // changes with whatever decides which files are meant

	// In mode watch.
	Changes map[Change]bool // those that become events
	Settle  time.Duration   // how long a file must stay as it is before that is an event
	Hash    bool            // a change is what changes the SHA-256 of the content
	Report  bool            // the files that are there at the beginning are events

	// In mode tail.
	Beginning bool           // the files that are there at the beginning are read as a whole
	Patterns  []LinePattern  // none: every line is an event
	Start     *regexp.Regexp // of the first line of a record; nil: see Continue
	Continue  *regexp.Regexp // of the further lines of a record; nil with Start nil: each line is a record
	MaxLine   int            // bytes of a record that are kept
	Flush     time.Duration  // how long a file must be quiet before a record that might go on is complete
	Partial   time.Duration  // how long a file must be quiet before a line that nothing ends is complete
}

// LinePattern is one kind of line that a sensor looks for.
type LinePattern struct {
	Name   string
	Regexp *regexp.Regexp
	fields []string // names of its groups by number; empty: it has none
}

// Multiline says whether a record can have several lines.
func (c *Config) Multiline() bool { return c.Start != nil || c.Continue != nil }

// Trigger returns the trigger of a sensor with the config that names none: core.file or core.line. A config that is
// broken may have either.
func Trigger(config json.RawMessage) string {
	var c struct{ Mode Mode }
	if json.Unmarshal(config, &c) == nil && c.Mode == ModeTail {
		return TriggerLine
	}
	return TriggerFile
}

// The triggers of pack core that file sensors have unless they name another.
const (
	TriggerFile = "core.file"
	TriggerLine = "core.line"
)

// Parse reads the config of a sensor. Its error is sensor.ConfigProblems. It does not look at any file: where a pack is
// applied need not be where its sensors run.
func Parse(config json.RawMessage) (*Config, error) {
	var problems sensor.ConfigProblems
	top := read(&problems, nil, config)
	c := &Config{Mode: Mode(top.choice("mode", "", string(ModeWatch), string(ModeTail)))}
	c.readPaths(top)
	switch c.Mode {
	case ModeWatch:
		c.readWatch(top)
	case ModeTail:
		c.readTail(top)
	default:
		return nil, problems // the other keys depend on it
	}
	top.finish()
	if len(problems) > 0 {
		return nil, problems
	}
	return c, nil
}

func (c *Config) readPaths(top *object) {
	recursive := top.flag("recursive", true)
	c.Follow = top.flag("follow_symlinks", false)
	paths := top.texts("paths", maxPaths)
	if len(paths) == 0 && !top.broken("paths") {
		top.problem("paths", "missing: write a list of absolute paths, such as [/srv/in/*.csv]")
	}
	for i, text := range paths {
		p, err := glob.Parse(text, recursive)
		if err != nil {
			top.problemAt("paths", i, err.Error())
			continue
		}
		if c.Mode == ModeTail && compressed(text) {
			top.problemAt("paths", i, "names compressed files, which are never read: name what is written, such as /var/log/app/*.log")
		}
		c.Paths = append(c.Paths, p)
	}
	ignore := top.texts("ignore", maxPaths)
	for i, text := range ignore {
		if err := c.Ignore.Add(text); err != nil {
			top.problemAt("ignore", i, err.Error())
		}
	}
	c.Scope = fingerprint(recursive, c.Follow, paths, ignore)
}

func (c *Config) readWatch(top *object) {
	c.Settle = top.duration("settle", defaultSettle, 0, maxSettle)
	c.Hash = top.flag("hash", false)
	c.Report = top.choice("initial", "ignore", "ignore", "report") == "report"
	c.Changes = map[Change]bool{}
	if !top.has("changes") {
		for _, change := range changes() {
			c.Changes[Change(change)] = true
		}
		return
	}
	for _, change := range top.choices("changes", changes()) {
		c.Changes[Change(change)] = true
	}
	if len(c.Changes) == 0 && !top.broken("changes") {
		top.problem("changes", "is empty, so that nothing would ever be an event: leave it out for all changes")
	}
}

func (c *Config) readTail(top *object) {
	c.Beginning = top.choice("start", "end", "end", "beginning") == "beginning"
	c.MaxLine = int(top.size("max_line", defaultMaxLine, minMaxLine, maxMaxLine))
	c.Partial = top.duration("partial_after", defaultPartial, time.Second, maxWait)
	c.Flush = defaultFlush
	if multi := top.object("multiline"); multi != nil {
		c.readMultiline(top, multi)
	}
	c.readPatterns(top)
}

func (c *Config) readMultiline(top, multi *object) {
	c.Start = multi.regexp("start")
	c.Continue = multi.regexp("continue")
	c.Flush = multi.duration("flush_after", defaultFlush, 100*time.Millisecond, maxWait)
	if multi.has("start") == multi.has("continue") {
		top.problem("multiline", "write one of start, what the first line of a record matches, and continue, what its further lines match")
	}
	multi.finish()
}

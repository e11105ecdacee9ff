package process

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/attune-automation/sensors/internal/runner"
	"github.com/attune-automation/sensors/internal/runner/sdk"
	"github.com/attune-automation/sensors/internal/schema"
	"github.com/attune-automation/sensors/internal/secret"
	"github.com/attune-automation/sensors/internal/sensor"
	"github.com/attune-automation/sensors/internal/sensorlog"
)

// The bounds of `next`.
const (
	minNext = 100 * time.Millisecond
	maxNext = 24 * time.Hour
)

// errOver ends the reading of a pipe: the poll's last word has been read, or it broke the protocol or a limit.
var errOver = errors.New("the poll is over")

// collector gathers what the code brings in one poll, and what it says about it.
type collector struct {
	sdk      bool // done and error are the last word; otherwise the exit status is
	stream   bool
	triggers []string
	secrets  secret.Values
	journal  *journal
	parts    *parts
	over     chan struct{} // closed after the last word

	mu     sync.Mutex
	ended  bool // over is closed: nothing counts any more
	heard  bool // a message of this poll came
	hello  bool // the process said it
	events int  // of the poll, or of a stream since its last checkpoint
	bytes  int
	print  bool // an event came on stdout
	marked bool // a checkpoint came
	moved  bool // a checkpoint came with a cursor other than the poll's first
	first  json.RawMessage
	poll   sensor.Poll // the hints of the code
	done   bool
	cut    bool          // stopped at a limit, to go on from the last checkpoint
	raised *sensor.Fault // what the code said of its own failure
	breach *sensor.Fault // what is wrong with its messages
	broken string        // the beginning of a last message that nothing ended
}

func newCollector(req runner.Request, sdk bool, secrets secret.Values, journal *journal, parts *parts) *collector {
	return &collector{
		sdk: sdk, stream: req.Sensor.Streams(), triggers: triggersOf(req.Sensor), secrets: secrets, journal: journal, parts: parts,
		first: req.Cursor, over: make(chan struct{}),
	}
}

// data takes a line of fd 3.
func (c *collector) data(line []byte, dropped int, whole bool) error {
	if dropped == 0 && len(bytes.TrimSpace(line)) == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return errOver
	}
	if dropped > 0 {
		return c.fail("a message of more than %d bytes (`limits.event_bytes`): split the event, or put a link into it: %s", maxEventBytes, c.journal.excerpt(line))
	}
	m, err := parseMessage(line)
	switch {
	case err != nil && !whole:
		c.broken = c.journal.excerpt(line)
		return nil
	case err != nil:
		return c.fail("what it wrote on fd 3 is %s: %s", c.journal.mask([]byte(err.Error()), 500, 0), c.journal.excerpt(line))
	}
	return c.take(m)
}

// stdout takes a line of a program without SDK: a JSON object is an event, the rest is its log.
func (c *collector) stdout(line []byte, dropped int, _ bool) error {
	object := isObject(line) && (dropped > 0 || isJSON(line))
	if !object {
		c.journal.line(sensorlog.SourceStdout, line, dropped)
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended:
		return errOver
	case dropped > 0:
		return c.fail("an event of more than %d bytes (`limits.event_bytes`): split it, or put a link into it: %s", maxEventBytes, c.journal.excerpt(line))
	}
	c.heard, c.print = true, true
	if c.marked {
		return c.unordered()
	}
	return c.event(message{Payload: line})
}

// take acts on one message.
func (c *collector) take(m message) error {
	if m.Type == "hello" {
		return c.greet(m)
	}
	if c.sdk && !c.hello {
		return c.fail("its first message is of type %q, not hello: is something in the SDK's place?", c.shown(m.Type))
	}
	c.heard = true
	switch m.Type {
	case "event":
		return c.event(m)
	case "cursor":
		return c.cursor(m.Cursor)
	case "checkpoint":
		return c.checkpoint(m.Cursor)
	case "log":
		return c.log(m)
	case "skip":
		c.poll.Skip = c.journal.mask([]byte(m.Reason), maxFaultText, 0)
		c.journal.text(sensorlog.SourceInfo, "skipped: "+m.Reason)
	case "next":
		return c.next(m.AfterSeconds)
	case "more":
		c.poll.More = true
	case "done", "error":
		return c.finish(m)
	}
	return nil
}

// greet checks what the process says when it starts.
func (c *collector) greet(m message) error {
	switch {
	case m.Protocol == nil || *m.Protocol != sdk.Protocol:
		said := "no version"
		if m.Protocol != nil {
			said = fmt.Sprintf("version %d", *m.Protocol)
		}
		return c.fail("its hello names %s of the protocol; this worker speaks version %d: use an SDK of the worker's release", said, sdk.Protocol)
	case c.hello || c.heard:
		return c.fail("a second hello, or one that is not the first message")
	}
	c.hello = true
	return nil
}

func (c *collector) log(m message) error {
	switch m.Level {
	case "":
		m.Level = sensorlog.SourceInfo
	case sensorlog.SourceDebug, sensorlog.SourceInfo, sensorlog.SourceWarning, sensorlog.SourceError:
	default:
		return c.fail("a message of type log of level %q: there are debug, info, warning and error", c.shown(m.Level))
	}
	c.journal.text(m.Level, m.Message)
	return nil
}

func (c *collector) event(m message) error {
	number := c.events + 1
	switch {
	case !isObject(m.Payload):
		return c.fail("event %d is not a JSON object: %s", number, c.journal.excerpt(m.Payload))
	case len(m.Payload) > maxEventBytes:
		return c.fail("event %d has %d bytes, more than %d (`limits.event_bytes`): split it, or put a link into it", number, len(m.Payload), maxEventBytes)
	}
	item, err := c.item(number, m)
	if err != nil {
		return err
	}
	switch {
	case c.events == maxEvents:
		return c.full("%d events", maxEvents, "events")
	case c.bytes+len(m.Payload) > maxPollBytes:
		return c.full("%d bytes of events", maxPollBytes, "poll_bytes")
	}
	c.events++
	c.bytes += len(m.Payload)
	c.parts.add(item)
	return nil
}

// item checks what goes beside an event's payload.
func (c *collector) item(number int, m message) (sensor.Item, error) {
	item := sensor.Item{Payload: slices.Clone(m.Payload)}
	if m.Key != nil {
		// Characters that are none would all become the same one, and different keys one key.
		if err := schema.CheckPayload(m.Key); err != nil {
			return item, c.fail("the key of event %d cannot be stored: %s: use a digest of it: %s", number, err, c.journal.excerpt(m.Key))
		}
		if err := json.Unmarshal(m.Key, &item.Key); err != nil {
			return item, c.fail("the key of event %d is not a string: %s", number, c.journal.excerpt(m.Key))
		}
	}
	name, leaked := c.secrets.Find(item.Payload)
	if !leaked && item.Key != "" {
		name, leaked = c.secrets.Find([]byte(item.Key))
	}
	switch {
	case leaked:
		return item, c.fail("event %d has the value of the secret %q in it: leave it out", number, name)
	case m.Key != nil && item.Key == "":
		return item, c.fail("the key of event %d is empty: leave it out, or name what makes the event the same as another", number)
	case len(item.Key) > maxKeyBytes:
		return item, c.fail("the key of event %d has %d bytes, more than %d: use a digest of it", number, len(item.Key), maxKeyBytes)
	}
	if m.Trigger != nil {
		item.TriggerRef = *m.Trigger
		if !slices.Contains(c.triggers, item.TriggerRef) {
			return item, c.fail("event %d is for the trigger %q, which the sensor does not declare: it declares %s (sensor's `triggers`)",
				number, c.shown(item.TriggerRef), strings.Join(c.triggers, ", "))
		}
	}
	if m.OccurredAt != nil {
		at, err := time.Parse(time.RFC3339Nano, *m.OccurredAt)
		if err != nil || at.Year() < 1 {
			return item, c.fail("event %d has `occurred_at` %q: write it as RFC 3339 with the offset from UTC, such as 2026-01-31T09:30:00Z", number, c.shown(*m.OccurredAt))
		}
		item.OccurredAt = at.UTC()
	}
	return item, nil
}

// full ends a poll that brought all that one may bring.
func (c *collector) full(what string, limit int, name string) error {
	switch {
	case c.stream:
		return c.fail("more than "+what+" since its last checkpoint (`limits.%s`): call ctx.checkpoint(cursor) more often", limit, name)
	case !c.moved:
		return c.fail("more than "+what+" in one poll (`limits.%s`): call ctx.checkpoint(cursor) now and then, or stop there, set the cursor and call ctx.more()", limit, name)
	}
	c.cut = true
	return c.end()
}

func (c *collector) cursor(cursor json.RawMessage) error {
	name, leaked := c.secrets.Find(cursor)
	switch {
	case cursor == nil:
		return c.fail("a message of type cursor without `cursor`")
	case len(cursor) > maxEventBytes:
		return c.fail("a cursor of %d bytes, more than %d (`limits.event_bytes`): keep positions in it, not data", len(cursor), maxEventBytes)
	case leaked:
		return c.fail("its cursor has the value of the secret %q in it: leave it out", name)
	}
	if err := schema.CheckPayload(cursor); err != nil {
		return c.fail("its cursor cannot be stored: %s: %s", err, c.journal.excerpt(cursor))
	}
	c.parts.setCursor(slices.Clone(cursor))
	return nil
}

func (c *collector) checkpoint(cursor json.RawMessage) error {
	if c.marked = true; c.print {
		return c.unordered()
	}
	if cursor != nil {
		if err := c.cursor(cursor); err != nil {
			return err
		}
	}
	if at := c.parts.checkpoint(); at != nil && !sameJSON(at, c.first) {
		c.moved = true
	}
	if c.stream {
		c.events, c.bytes = 0, 0
	}
	return nil
}

// unordered refuses what nobody can tell: which of the events on one pipe came before a checkpoint on another.
func (c *collector) unordered() error {
	return c.fail("a checkpoint in a poll that has events on stdout: write them to fd 3, too, as messages of type event")
}

func (c *collector) next(seconds *float64) error {
	if seconds == nil || *seconds < 0 {
		return c.fail("a message of type next without a number of seconds in `after_seconds`")
	}
	after := maxNext
	if *seconds < maxNext.Seconds() {
		after = time.Duration(*seconds * float64(time.Second))
	}
	c.poll.NextAfter = max(after, minNext)
	return nil
}

// finish takes the last word; the first one counts.
func (c *collector) finish(m message) error {
	if c.done || c.raised != nil {
		return nil
	}
	if m.Type == "error" {
		c.raised = &sensor.Fault{
			Kind:      sensor.FaultException,
			Message:   c.journal.mask([]byte(m.Message), maxFaultText, 0),
			Traceback: c.journal.mask([]byte(m.Traceback), maxFaultText, 0),
		}
	} else {
		c.done = true
	}
	if !c.sdk {
		return nil
	}
	return c.end()
}

// fail ends the poll for what is wrong with its messages.
func (c *collector) fail(format string, args ...any) error {
	c.breach = fault(sensor.FaultOutput, format, args...)
	return c.end()
}

// spoke says whether a message of this poll came.
func (c *collector) spoke() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heard
}

// succeeded says whether the code said that it is done.
func (c *collector) succeeded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done && c.breach == nil
}

// whole says whether the poll brought all that it was to bring.
func (c *collector) whole() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.cut
}

// hints returns what the code said about the next poll and about this one.
func (c *collector) hints() sensor.Poll {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		return sensor.Poll{More: true} // from the last checkpoint
	}
	return c.poll
}

// end closes the poll for whatever else may come.
func (c *collector) end() error {
	c.ended = true
	close(c.over)
	return errOver
}

func (c *collector) shown(word string) string { return c.journal.mask([]byte(word), 200, 0) }

package filewatch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/attune-automation/sensors/internal/runner/filewatch/walk"
	"github.com/attune-automation/sensors/internal/sensor"
)

// filePayload is the payload of trigger core.file.
type filePayload struct {
	Change       Change `json:"change"`
	Path         string `json:"path"`
	PathBase64   string `json:"path_base64,omitempty"` // the exact bytes, if they are not UTF-8
	From         string `json:"from,omitempty"`
	FromBase64   string `json:"from_base64,omitempty"`
	Size         int64  `json:"size"`
	PreviousSize *int64 `json:"previous_size,omitempty"`
	ModifiedAt   string `json:"modified_at,omitempty"`
	SHA256       string `json:"sha256,omitempty"`
}

// tell adds the item of a change, if somebody wants to know of it. r is what is known from now on; nil: nothing.
func (w *watcher) tell(c change, r *record) {
	if !w.cfg.Changes[c.kind] {
		return
	}
	p := filePayload{Change: c.kind}
	p.Path, p.PathBase64 = exact(c.path)
	known := r
	switch c.kind {
	case Deleted:
		known = c.old
	case Moved:
		p.From, p.FromBase64 = exact(c.old.path)
	case Modified:
		p.PreviousSize = &c.old.file.Size
	}
	p.Size, p.SHA256 = known.file.Size, known.hash
	modified := moment(known.file.Modified)
	if !modified.IsZero() {
		p.ModifiedAt = modified.Format(time.RFC3339Nano)
	}
	item := sensor.Item{Payload: mustMarshal(p)}
	if c.kind == Created || c.kind == Modified {
		item.OccurredAt = modified
	}
	w.ledger.add(item)
}

func mustMarshal(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // numbers and texts always can be written
	}
	return raw
}

// open opens a file of which a walk said what it is. A path that has become something else is not followed, nor waited
// for.
func open(path string, follow bool) (*os.File, error) {
	flags := os.O_RDONLY | unix.O_NONBLOCK
	if !follow {
		flags |= unix.O_NOFOLLOW
	}
	return os.OpenFile(path, flags, 0)
}

// vanished says whether an error of open means that the file is not what it was, rather than that it cannot be read.
func vanished(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO)
}

// hashOf returns the SHA-256 of a file in hex; false if it is not as it was when it was seen.
func hashOf(ctx context.Context, path string, seen walk.File, follow bool) (hash string, ok bool, err error) {
	f, err := open(path, follow)
	if err != nil {
		if vanished(err) {
			return "", false, nil
		}
		return "", false, unreadable(path, err)
	}
	defer func() { _ = f.Close() }()
	sum := sha256.New()
	if _, err = io.CopyBuffer(sum, reader{ctx, f}, make([]byte, 256<<10)); err != nil {
		if ctx.Err() != nil {
			return "", false, ctx.Err()
		}
		return "", false, unreadable(path, err)
	}
	now, _, err := walk.Stat(f)
	if err != nil {
		return "", false, unreadable(path, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), now == seen, nil
}

func unreadable(path string, err error) error {
	return fault(sensor.FaultException, "%v", &walk.Unreadable{Path: path, Err: err})
}

// reader ends with its context.
type reader struct {
	ctx context.Context //nolint:containedctx // it lives as long as one copy
	f   *os.File
}

// Read reads, unless the context has ended.
func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.f.Read(p)
}

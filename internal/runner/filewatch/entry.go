package filewatch

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/attune-automation/sensors/internal/runner/filewatch/walk"
	"github.com/attune-automation/sensors/internal/sensor"
)

// maxKey keeps the keys of entries well below what an index of PostgreSQL holds.
const maxKey = 500

// escape writes a path, any bytes but NUL, as text: a byte that is not UTF-8 as \xNN, a backslash as \\. No two paths
// have the same text.
func escape(path string) string {
	if utf8.ValidString(path) && strings.IndexByte(path, '\\') < 0 {
		return path
	}
	var b strings.Builder
	for len(path) > 0 {
		r, n := utf8.DecodeRuneInString(path)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, path[0])
		case r == '\\':
			b.WriteString(`\\`)
		default:
			b.WriteString(path[:n])
		}
		path = path[n:]
	}
	return b.String()
}

// unescape is the inverse of escape.
func unescape(text string) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, `\`)
		b.WriteString(before)
		switch {
		case !found:
			return b.String(), nil
		case strings.HasPrefix(rest, `\`):
			b.WriteByte('\\')
			text = rest[1:]
		case len(rest) >= 3 && rest[0] == 'x':
			raw, err := hex.DecodeString(rest[1:3])
			if err != nil {
				return "", fmt.Errorf("%q is no escape: %w", rest[:3], err)
			}
			b.Write(raw)
			text = rest[3:]
		default:
			return "", fmt.Errorf("a backslash before %.4q", rest)
		}
	}
}

// exact returns a text as JSON can hold it, and what is in it in Base64 if that is not the same.
func exact(text string) (shown, base64text string) {
	if utf8.ValidString(text) && strings.IndexByte(text, 0) < 0 {
		return text, ""
	}
	shown = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
	return shown, base64.StdEncoding.EncodeToString([]byte(text))
}

// fileEntry is the value of the entry of a file that is watched. Its key is the escaped path, or its hash if it is long.
type fileEntry struct {
	Size     int64  `json:"size"`
	Modified int64  `json:"modified"`
	Changed  int64  `json:"changed,omitempty"`
	Device   uint64 `json:"device"`
	Inode    uint64 `json:"inode"`
	Hash     string `json:"hash,omitempty"`
	Path     string `json:"path,omitempty"` // escaped, if it is not the key
}

// pathKey returns the key of the entry of a path, and the text of the path if the key does not tell it.
func pathKey(path string) (key, text string) {
	text = escape(path)
	if len(text) <= maxKey {
		return text, ""
	}
	sum := sha256.Sum256([]byte(path))
	return "#" + hex.EncodeToString(sum[:]), text
}

// entry returns what is kept of a file.
func (r *record) entry() sensor.Entry {
	key, text := pathKey(r.path)
	return entryOf(key, fileEntry{
		Size: r.file.Size, Modified: r.file.Modified, Changed: r.file.Changed, Device: r.file.Device, Inode: r.file.Inode,
		Hash: r.hash, Path: text,
	})
}

// gone returns that nothing is kept of the file any more.
func (r *record) gone() sensor.Entry {
	key, _ := pathKey(r.path)
	return sensor.Entry{Key: key}
}

func entryOf(key string, value any) sensor.Entry {
	raw, err := json.Marshal(value)
	if err != nil {
		panic(err) // numbers and texts always can be written
	}
	return sensor.Entry{Key: key, Value: raw}
}

// recordOf reads what was kept of a file.
func recordOf(e sensor.Entry) (*record, error) {
	var v fileEntry
	if err := json.Unmarshal(e.Value, &v); err != nil {
		return nil, fmt.Errorf("reading what is kept of %.100q: %w", e.Key, err)
	}
	text := e.Key
	if v.Path != "" {
		text = v.Path
	}
	path, err := unescape(text)
	if err != nil {
		return nil, fmt.Errorf("reading what is kept of %.100q: %w", e.Key, err)
	}
	return &record{path: path, hash: v.Hash, file: walk.File{
		Size: v.Size, Modified: v.Modified, Changed: v.Changed, Device: v.Device, Inode: v.Inode,
	}}, nil
}

// moment returns a time of a file system; zero if it is not one that calendars know.
func moment(nanoseconds int64) time.Time {
	t := time.Unix(0, nanoseconds).UTC()
	if t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

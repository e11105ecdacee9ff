package filewatch

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/attune-automation/sensors/internal/runner/filewatch/walk"
	"github.com/attune-automation/sensors/internal/sensor"
)

// printBytes is how much of a file's beginning, and of what was read last, tells it from others.
const printBytes = 256

// What is left out at the offset of a file, as more of it was brought than one event holds.
const (
	skipLine   = "line"   // up to the next end of a line
	skipRecord = "record" // up to the first line of the next record
)

// tracked is a file whose lines are read. It is told from others by device and inode, and, since an inode is used again
// and a file is written anew, by what it begins with and what was read last.
type tracked struct {
	path   string // under which it was found
	at     string // where it is by now
	file   walk.File
	offset int64 // up to which it was read
	head   fingerprints
	last   fingerprints // of what is before the offset
	skip   string
	stored tailEntry // what the database has
}

// fingerprints is the hash of a few bytes.
type fingerprints struct {
	Bytes int    `json:"bytes"`
	Hash  string `json:"hash,omitempty"`
}

// fileID is device and inode.
type fileID struct{ device, inode uint64 }

func idOf(f walk.File) fileID { return fileID{f.Device, f.Inode} }

// tailEntry is the value of the entry of a file whose lines are read. Its key is device:inode.
type tailEntry struct {
	Path     string       `json:"path"` // escaped
	At       string       `json:"at,omitempty"`
	Size     int64        `json:"size"`
	Modified int64        `json:"modified"`
	Device   uint64       `json:"device"`
	Inode    uint64       `json:"inode"`
	Offset   int64        `json:"offset"`
	Head     fingerprints `json:"head"`
	Last     fingerprints `json:"last"`
	Skip     string       `json:"skip,omitempty"`
}

func (t *tracked) value() tailEntry {
	e := tailEntry{
		Path: escape(t.path), Size: t.file.Size, Modified: t.file.Modified, Device: t.file.Device, Inode: t.file.Inode,
		Offset: t.offset, Head: t.head, Last: t.last, Skip: t.skip,
	}
	if t.at != t.path {
		e.At = escape(t.at)
	}
	return e
}

func (id fileID) key() string {
	return strconv.FormatUint(id.device, 10) + ":" + strconv.FormatUint(id.inode, 10)
}

// tailState is all that is known of the files whose lines a sensor reads.
type tailState struct {
	files    map[fileID]*tracked
	waiting  map[fileID]sighting // of files with an end that may go on; lost with the process, which costs a delay only
	entering bool                // the files that are there have not all been taken stock of
	remark   string
}

func newTailState(entries []sensor.Entry) (*tailState, error) {
	s := &tailState{files: make(map[fileID]*tracked, len(entries))}
	for _, e := range entries {
		t, err := trackedOf(e)
		if err != nil {
			return nil, fmt.Errorf("reading what is kept of file %.100q: %w", e.Key, err)
		}
		s.files[idOf(t.file)] = t
	}
	return s, nil
}

func trackedOf(e sensor.Entry) (*tracked, error) {
	var v tailEntry
	if err := json.Unmarshal(e.Value, &v); err != nil {
		return nil, err
	}
	path, err := unescape(v.Path)
	if err != nil {
		return nil, err
	}
	at := path
	if v.At != "" {
		if at, err = unescape(v.At); err != nil {
			return nil, err
		}
	}
	return &tracked{
		path: path, at: at, offset: v.Offset, head: v.Head, last: v.Last, skip: v.Skip, stored: v,
		file: walk.File{Size: v.Size, Modified: v.Modified, Device: v.Device, Inode: v.Inode},
	}, nil
}

// is says whether an open file, of the given size, is what t was read from: it may only have grown.
func (t *tracked) is(f *os.File, size int64) (bool, error) {
	if size < t.offset || size < int64(t.head.Bytes) {
		return false, nil
	}
	head, err := printOf(f, 0, t.head.Bytes)
	if err != nil || head != t.head {
		return false, err
	}
	last, err := printOf(f, t.offset-int64(t.last.Bytes), t.last.Bytes)
	return last == t.last, err
}

// stamp notes what the file is told from others by.
func (t *tracked) stamp(f *os.File) (err error) {
	if n := int(min(printBytes, t.file.Size)); n > t.head.Bytes {
		if t.head, err = printOf(f, 0, n); err != nil {
			return err
		}
	}
	n := int(min(printBytes, t.offset))
	t.last, err = printOf(f, t.offset-int64(n), n)
	return err
}

// restart notes that what is at the file's place has nothing to do with what was read.
func (t *tracked) restart() {
	t.offset, t.head, t.last, t.skip = 0, fingerprints{}, fingerprints{}, ""
}

// begins says whether a file begins with what is in another one, of the given size, as far as their ends tell.
func begins(f, other *os.File, size int64) (bool, error) {
	n := min(printBytes, size)
	for _, from := range []int64{0, size - n} {
		a, err := printOf(f, from, int(n))
		if err != nil {
			return false, err
		}
		if b, err := printOf(other, from, int(n)); err != nil || a != b {
			return false, err
		}
	}
	return true, nil
}

// printOf returns the hash of a range of a file; that of what is missing is of nothing.
func printOf(f *os.File, from int64, n int) (fingerprints, error) {
	if n == 0 {
		return fingerprints{}, nil
	}
	buf := make([]byte, n)
	got, err := f.ReadAt(buf, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return fingerprints{}, err
	}
	sum := sha256.Sum256(buf[:got])
	return fingerprints{Bytes: got, Hash: hex.EncodeToString(sum[:8])}, nil
}

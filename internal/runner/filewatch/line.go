package filewatch

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"
)

const readBytes = 256 << 10

// lineReader cuts a file into lines.
type lineReader struct {
	f     io.ReaderAt
	limit int   // of a line; more than that is cut
	pos   int64 // of buf[0] in the file
	buf   []byte
	start int // of what is not yet returned in buf
	end   int // of what was read
	eof   bool
}

func newLineReader(f io.ReaderAt, offset int64, limit int) *lineReader {
	return &lineReader{f: f, limit: limit, pos: offset, buf: make([]byte, limit+readBytes)}
}

// lineKind says how a piece of a file ends.
type lineKind int

const (
	whole lineKind = iota // with the end of its line
	long                  // it is as long as the limit, and its line goes on
	open_                 // with the end of the file
	none                  // there is nothing
)

// next returns what comes next, without the end of its line; it is valid until the next call. from and to are where it is
// in the file, its end included.
func (r *lineReader) next() (text []byte, from, to int64, kind lineKind, err error) {
	searched := 0
	for {
		from = r.pos + int64(r.start)
		rest := r.buf[r.start:r.end]
		if i := bytes.IndexByte(rest[searched:], '\n'); i >= 0 && searched+i <= r.limit {
			text = rest[:searched+i]
			r.start += len(text) + 1
			return bytes.TrimSuffix(text, []byte{'\r'}), from, r.pos + int64(r.start), whole, nil
		}
		if len(rest) > r.limit {
			text = cutRune(rest[:r.limit])
			r.start += len(text)
			return text, from, r.pos + int64(r.start), long, nil
		}
		searched = len(rest)
		switch {
		case r.eof && len(rest) == 0:
			return nil, from, from, none, nil
		case r.eof:
			r.start = r.end
			return rest, from, r.pos + int64(r.end), open_, nil
		}
		if err := r.fill(); err != nil {
			return nil, from, from, none, err
		}
	}
}

func (r *lineReader) fill() error {
	if r.start > 0 {
		copy(r.buf, r.buf[r.start:r.end])
		r.pos += int64(r.start)
		r.end -= r.start
		r.start = 0
	}
	n, err := r.f.ReadAt(r.buf[r.end:], r.pos+int64(r.end))
	r.end += n
	if errors.Is(err, io.EOF) {
		r.eof, err = true, nil
	}
	return err
}

// cutRune shortens a text so that it does not end within a character.
func cutRune(text []byte) []byte {
	for i := 1; i < utf8.UTFMax && i < len(text); i++ {
		if b := text[len(text)-i]; utf8.RuneStart(b) {
			if !utf8.FullRune(text[len(text)-i:]) {
				return text[:len(text)-i]
			}
			break
		}
	}
	return text
}

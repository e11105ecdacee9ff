package filewatch

import "bytes"

// piece is one record of a file, which is a line unless the config says otherwise.
type piece struct {
	text      []byte // lines joined by \n, without the end of the last; valid until the next one
	from, to  int64  // where it is in the file
	lines     int
	truncated bool // the record is longer
	partial   bool // the end of its last line is missing
}

// assembler makes records of the lines of a file, and moves the file's offset over what is complete. Its state is the
// offset and skip of the file: whatever was not completed is read again.
type assembler struct {
	cfg  *Config
	file *tracked
	emit func(piece) error

	open bool // rec has lines
	rec  piece
}

// take takes what came next of a file.
func (a *assembler) take(text []byte, from, to int64, kind lineKind) error {
	if a.file.skip == skipLine {
		a.file.offset = to
		if kind == whole {
			a.file.skip = ""
			if a.cfg.Multiline() {
				a.file.skip = skipRecord
			}
		}
		return nil
	}
	if trimmed := bytes.TrimLeft(text, "\x00"); len(trimmed) < len(text) {
		// A hole, which a program leaves that goes on where it was in a file that was truncated.
		from += int64(len(text) - len(trimmed))
		text = trimmed
		if len(text) == 0 && kind == long {
			if !a.open {
				a.file.offset = to
			}
			return nil
		}
	}
	p := piece{text: text, from: from, to: to, lines: 1, truncated: kind == long, partial: kind == open_}
	switch {
	case a.cfg.Multiline():
		return a.join(p)
	case p.truncated:
		return a.done(p, skipLine)
	}
	return a.done(p, "")
}

// join adds a line to the record that is open, or begins one.
func (a *assembler) join(line piece) error {
	first := a.first(line.text)
	if a.file.skip == skipRecord {
		if !first {
			a.file.offset = line.to
			if line.truncated {
				a.file.skip = skipLine
			}
			return nil
		}
		a.file.skip = ""
	}
	if first {
		if err := a.flush(); err != nil {
			return err
		}
	}
	if !a.open {
		a.open = true
		a.rec = piece{text: append(a.rec.text[:0], line.text...), from: line.from, to: line.to, lines: 1}
	} else {
		a.rec.text = append(append(a.rec.text, '\n'), line.text...)
		a.rec.to = line.to
		a.rec.lines++
	}
	a.rec.partial = line.partial
	if len(a.rec.text) <= a.cfg.MaxLine && !line.truncated {
		return nil
	}
	a.rec.text = cutRune(a.rec.text[:min(len(a.rec.text), a.cfg.MaxLine)])
	a.rec.truncated = true
	a.open = false
	if line.truncated {
		return a.done(a.rec, skipLine)
	}
	return a.done(a.rec, skipRecord)
}

// first says whether a line begins a record.
func (a *assembler) first(line []byte) bool {
	if a.cfg.Start != nil {
		return a.cfg.Start.Match(line)
	}
	return !a.cfg.Continue.Match(line)
}

// flush completes the record that is open.
func (a *assembler) flush() error {
	if !a.open {
		return nil
	}
	a.open = false
	return a.done(a.rec, "")
}

// done moves the offset over a record, and what of it is to be skipped, and hands it on.
func (a *assembler) done(p piece, skip string) error {
	a.file.offset, a.file.skip = p.to, skip
	return a.emit(p)
}

package store

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// itemError is what is the matter with one of the items that share a transaction, whatever becomes of the others.
type itemError struct{ error }

func (e itemError) Unwrap() error { return e.error }

// inHalves does a piece of work in one transaction. If it fails because of one of its items, the halves are tried each by
// itself, until it is known which: the others do not suffer, and a few of these are found by few transactions. Of an item that
// cannot be worked on, the result is failed's. Any other error is that of the whole.
func inHalves[In, Out any](items []In, do func([]In) ([]Out, error), failed func(error) Out) ([]Out, error) {
	all, err := do(items)
	switch {
	case err == nil || !ofItem(err):
		return all, err
	case len(items) == 1:
		return []Out{failed(err)}, nil
	}
	half := len(items) / 2
	left, err := inHalves(items[:half], do, failed)
	if err != nil {
		return nil, err
	}
	right, err := inHalves(items[half:], do, failed)
	return append(left, right...), err
}

// ofItem says whether an error comes from what was to be written, so that less might work.
func ofItem(err error) bool {
	if _, refused := refusal(err); refused {
		return true
	}
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && strings.HasPrefix(pgErr.Code, "23") { // a constraint
		return true
	}
	_, ok := errors.AsType[itemError](err)
	return ok
}

func itemErrorf(format string, args ...any) error { return itemError{fmt.Errorf(format, args...)} }

package store

import (
	"cmp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const defaultLimit = 100

// where collects the conditions of a listing. Only those that a filter asks for become SQL, so that each combination
// has the plan that suits it. Make it with args.
type where struct {
	conditions []string
	args       pgx.NamedArgs
}

func (w *where) add(condition, name string, value any) {
	w.conditions = append(w.conditions, condition)
	w.args[name] = value
}

// equal asks for column = value unless value is zero.
func (w *where) equal(column, name string, value string) {
	if value != "" {
		w.add(column+" = @"+name, name, value)
	}
}

// page asks for rows of a time and a range of IDs; table is the alias of the table that has both.
func (w *where) page(table string, since time.Time, beforeID, afterID int64) {
	if !since.IsZero() {
		w.add(table+".created >= @since", "since", since)
	}
	if beforeID != 0 {
		w.add(table+".id < @before_id", "before_id", beforeID)
	}
	if afterID != 0 {
		w.add(table+".id > @after_id", "after_id", afterID)
	}
}

// sql returns ` where ...`, or nothing if everything is wanted.
func (w *where) sql() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return " where " + strings.Join(w.conditions, " and ")
}

// newest returns ` where ... order by ... limit ...` for the newest rows of the table with that alias.
func (w *where) newest(table string, limit int) string {
	sql := w.sql() + " order by " + table + ".id desc limit @limit"
	w.args["limit"] = cmp.Or(limit, defaultLimit)
	return sql
}

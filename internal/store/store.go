// Package store keeps packs, sensors, rules and all that comes of them in PostgreSQL, schema attune. Every public
// method owns its transaction, and every one that writes can be repeated: the second time finds what the first wrote.
//
// Locks are taken in one order everywhere: the sensor's sensor_state row, then the poll_batch row.
package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/attune-automation/sensors/internal/coalesce"
	"github.com/attune-automation/sensors/internal/sensor"
)

const defaultMaxConnections = 10

// beginWrite ends a transaction whose client has vanished, so that its row locks cannot hold a sensor up for longer
// than a minute. It is a setting of the transaction, not of the session, and so passes through connection poolers.
const beginWrite = "begin; set local idle_in_transaction_session_timeout = '60s'"

// Config says which database to use.
type Config struct {
	URL            string // postgres://user:password@host:port/name
	MaxConnections int    // 0: 10
}

// Store is a pool of connections to one database. It is safe for concurrent use.
type Store struct {
	pool     *pgxpool.Pool
	arrivals *coalesce.Gatherer[*arrival, arrived] // small parts that become events at once
	closings *coalesce.Gatherer[closing, ended]    // groups whose time has come
	finishes *coalesce.Gatherer[int64, struct{}]   // groups whose enforcements are confirmed
}

// New returns a store that connects when it is first used: see Ping and CheckSchema.
func New(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.MaxConnections < 0 {
		return nil, fmt.Errorf("database.max_connections is %d: use at least 1", cfg.MaxConnections)
	}
	poolConfig, err := pgxpool.ParseConfig(cfg.URL)
	if err != nil || cfg.URL == "" { // which pgx would take for the local server
		return nil, errURL
	}
	poolConfig.MaxConns = int32(cmp.Or(cfg.MaxConnections, defaultMaxConnections))
	poolConfig.AfterConnect = registerTypes
	if _, ok := poolConfig.ConnConfig.RuntimeParams["application_name"]; !ok {
		poolConfig.ConnConfig.RuntimeParams["application_name"] = "attune-sensors"
	}
	pool, err := pgxpool.NewWithConfig(ctx, poolConfig)
	if err != nil {
		return nil, fmt.Errorf("preparing the connections to the database: %w", err)
	}
	s := &Store{pool: pool}
	if s.arrivals, err = newArrivals(s); err != nil {
		return nil, err
	}
	if s.closings, err = newClosings(s); err != nil {
		return nil, err
	}
	s.finishes, err = newFinishes(s)
	return s, err
}

// Close waits for connections in use and closes all.
func (s *Store) Close() { s.pool.Close() }

// Ping says whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.pool.Ping(ctx); err != nil {
		return fmt.Errorf("reaching the database: %w", err)
	}
	return nil
}

// inTx runs f in one transaction and commits it unless f fails.
func (s *Store) inTx(ctx context.Context, f func(tx pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{BeginQuery: beginWrite}, f)
}

// inSnapshot runs f, which only reads, on the state of the database at one moment.
func (s *Store) inSnapshot(ctx context.Context, f func(tx pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, f)
}

// errURL quotes no part of the URL and not pgx's own error, whose redaction is a best effort: there may be a password.
var errURL = errors.New("database.url is empty or cannot be parsed: write postgres://user:password@host:port/name, with special characters percent-encoded")

// registerTypes makes a new connection return times in UTC and JSON byte for byte.
func registerTypes(_ context.Context, conn *pgx.Conn) error {
	types := conn.TypeMap()
	types.RegisterType(&pgtype.Type{
		Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
	})
	types.RegisterType(&pgtype.Type{
		Name: "jsonb", OID: pgtype.JSONBOID, Codec: &pgtype.JSONBCodec{Marshal: json.Marshal, Unmarshal: unmarshal},
	})
	return nil
}

// unmarshal spares a json.RawMessage the check that PostgreSQL's own JSON is valid.
func unmarshal(data []byte, v any) error {
	if raw, ok := v.(*json.RawMessage); ok {
		*raw = bytes.Clone(data)
		return nil
	}
	return json.Unmarshal(data, v)
}

// refusal returns why PostgreSQL does not take a value: SQLSTATE class 22, data exception, or 54, a limit exceeded.
func refusal(err error) (reason string, ok bool) {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || !strings.HasPrefix(pgErr.Code, "22") && !strings.HasPrefix(pgErr.Code, "54") {
		return "", false
	}
	if pgErr.Detail == "" {
		return pgErr.Message, true
	}
	return pgErr.Message + ": " + pgErr.Detail, true
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// one returns the only row of a query, or sensor.ErrNotFound.
func one[T any](ctx context.Context, q querier, sql string, args pgx.NamedArgs) (T, error) {
	rows, err := q.Query(ctx, sql, args)
	if err != nil {
		var zero T
		return zero, err
	}
	v, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[T])
	return v, notFound(err)
}

// list returns all rows of a query.
func list[T any](ctx context.Context, q querier, sql string, args pgx.NamedArgs) ([]T, error) {
	rows, err := q.Query(ctx, sql, args)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[T])
}

// notFound turns the absence of a row into sensor.ErrNotFound.
func notFound(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return sensor.ErrNotFound
	}
	return err
}

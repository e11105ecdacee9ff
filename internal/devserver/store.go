package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	schema "go.temporal.io/server/schema/sqlite"
)

// sqliteStore describes the database in file.
//
// The write-ahead log without a sync on every commit loses nothing when the server is killed, and only the
// last moments when the machine fails: the right bargain for development. It is nearly as fast as a database
// in memory, and twice as fast as PostgreSQL on a small machine; see BenchmarkLoop.
func sqliteStore(file string) *config.SQL {
	return &config.SQL{
		PluginName:   sqlite.PluginName,
		DatabaseName: (&url.URL{Path: file}).EscapedPath(), // the plugin puts it into a URL as it is
		ConnectAttributes: map[string]string{
			"mode":         "rwc",
			"journal_mode": "wal",
			"synchronous":  "normal",
		},
	}
}

// prepareStore makes the schema when the file is new, and the default namespace.
func prepareStore(file string, store *config.SQL) error {
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return fmt.Errorf("creating the folder of the database: %w", err)
		}
		if err := schema.SetupSchema(store); err != nil {
			return fmt.Errorf("creating the schema in %s: %w", file, err)
		}
	}
	namespace, err := schema.NewNamespaceConfig(clusterName, defaultNamespace, false, nil)
	if err != nil {
		return fmt.Errorf("describing namespace %q: %w", defaultNamespace, err)
	}
	if err := schema.CreateNamespaces(store, namespace); err != nil {
		return fmt.Errorf("creating namespace %q: %w", defaultNamespace, err)
	}
	return nil
}

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	schema "go.temporal.io/server/schema/sqlite"
)

// sqliteStore describes the database in file, or one in memory when file is empty.
//
// The write-ahead log without a sync on every commit loses nothing when the server is killed, and only the
// last moments when the machine fails: the right bargain for development.
func sqliteStore(file string) *config.SQL {
	if file == "" {
		return &config.SQL{
			PluginName:        sqlite.PluginName,
			DatabaseName:      "temporal-dev",
			ConnectAttributes: map[string]string{"mode": "memory", "cache": "shared"},
		}
	}
	return &config.SQL{
		PluginName:   sqlite.PluginName,
		DatabaseName: file,
		ConnectAttributes: map[string]string{
			"mode":         "rwc",
			"journal_mode": "wal",
			"synchronous":  "normal",
		},
	}
}

// prepareStore makes the schema where there is none, and the namespaces that are missing.
func prepareStore(store *config.SQL, names []string) error {
	if store.ConnectAttributes["mode"] != "memory" {
		if err := prepareFile(store); err != nil {
			return err
		}
	}
	for _, name := range names {
		namespace, err := schema.NewNamespaceConfig(clusterName, name, false, nil)
		if err != nil {
			return fmt.Errorf("describing namespace %q: %w", name, err)
		}
		if err := schema.CreateNamespaces(store, namespace); err != nil {
			return fmt.Errorf("creating namespace %q: %w", name, err)
		}
	}
	return nil
}

func prepareFile(store *config.SQL) error {
	_, err := os.Stat(store.DatabaseName)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(store.DatabaseName), 0o700); err != nil {
		return fmt.Errorf("creating the directory of the database: %w", err)
	}
	if err := schema.SetupSchema(store); err != nil {
		return fmt.Errorf("creating the schema in %s: %w", store.DatabaseName, err)
	}
	return nil
}

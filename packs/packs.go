// Package packs holds the packs that come with the project. Core is embedded, for every installation has it.
package packs

import (
	"embed"
	"io/fs"
)

//go:embed core
var embedded embed.FS

// Core is the folder of the pack of what the service itself says, such as that a sensor failed.
func Core() (fs.FS, error) { return fs.Sub(embedded, "core") }

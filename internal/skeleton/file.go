package skeleton

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

// values are what the templates name.
type values struct {
	Pack, Ref, Name, Label, Runtime, Extension string
}

// file is one file to write, its name slash-separated and below the pack's folder.
type file struct {
	name string
	text []byte
	mode fs.FileMode
}

// render fills in the templates.
func render(v values, newPack bool) ([]file, error) {
	code := "code/" + v.Name + v.Extension
	sources := []struct {
		template, name string
		mode           fs.FileMode
	}{
		{"sensor.yaml", "sensors/" + v.Name + ".yaml", 0o644},
		{"trigger.yaml", "triggers/" + v.Name + ".yaml", 0o644},
		{v.Runtime + "/code" + v.Extension, code, 0o755},
		{"test.json", "tests/" + v.Name + ".json", 0o644},
	}
	if v.Runtime != "exec" {
		sources[2].mode = 0o644
	}
	var files []file
	if newPack {
		text, err := fill("pack.yaml", v)
		if err != nil {
			return nil, err
		}
		files = append(files, file{"pack.yaml", text, 0o644})
	}
	for _, s := range sources {
		text, err := fill(s.template, v)
		if err != nil {
			return nil, err
		}
		files = append(files, file{s.name, text, s.mode})
	}
	return files, nil
}

func fill(name string, v values) ([]byte, error) {
	t, err := template.ParseFS(embedded, "files/"+name)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := t.Execute(&text, v); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}

// write writes all files, or none if any of them is there. It makes sure of that once more for each: a file that comes
// into being meanwhile is not overwritten either.
func write(dir string, files []file) error {
	var there []string
	for _, f := range files {
		if _, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(f.name))); err == nil {
			there = append(there, f.name)
		}
	}
	if there != nil {
		return fmt.Errorf("%s has %s already, and nothing is overwritten: choose another name", dir, strings.Join(there, ", "))
	}
	for _, f := range files {
		if err := create(filepath.Join(dir, filepath.FromSlash(f.name)), f); err != nil {
			return err
		}
	}
	return nil
}

func create(path string, f file) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, f.mode)
	if err != nil {
		return err
	}
	if _, err := out.Write(f.text); err != nil {
		_ = out.Close() // the error that counts is the first
		return err
	}
	return out.Close()
}

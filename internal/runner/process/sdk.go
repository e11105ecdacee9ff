package process

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

//go:embed sdk/python/attune_sensor.py sdk/nodejs/attune_sensor.mjs sdk/nodejs/attune_sensor.d.ts
var sdkFiles embed.FS

const (
	pythonSDK = "sdk/python/attune_sensor.py"
	nodeSDK   = "sdk/nodejs/attune_sensor.mjs"
)

// sdkCache keeps this program's SDKs on disk, where interpreters find them.
type sdkCache struct {
	dir string // named after the SDKs' content: workers of different versions may share the cache
}

func newSDKCache(parent string) (*sdkCache, error) {
	sum := sha256.New()
	err := eachSDKFile(func(path string, content []byte) error {
		_, err := fmt.Fprintf(sum, "%s %d\n%s", path, len(content), content)
		return err
	})
	if err != nil {
		return nil, err
	}
	c := &sdkCache{dir: filepath.Join(parent, hex.EncodeToString(sum.Sum(nil)))}
	_, err = c.file(pythonSDK)
	return c, err
}

// file returns where a file of the SDKs is. It installs them if they are not there, or not any more: something may
// clean the cache folder while the worker runs.
func (c *sdkCache) file(path string) (string, error) {
	if !isDir(c.dir) {
		err := install(c.dir, func(tmp string) error {
			return eachSDKFile(func(path string, content []byte) error {
				to := filepath.Join(tmp, filepath.FromSlash(path))
				if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
					return err
				}
				return writeReadOnly(to, bytes.NewReader(content), false)
			})
		})
		if err != nil {
			return "", fmt.Errorf("installing the SDKs: %w", err)
		}
	}
	return filepath.Join(c.dir, filepath.FromSlash(path)), nil
}

func eachSDKFile(do func(path string, content []byte) error) error {
	return fs.WalkDir(sdkFiles, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := sdkFiles.ReadFile(path)
		if err != nil {
			return err
		}
		return do(path, content)
	})
}

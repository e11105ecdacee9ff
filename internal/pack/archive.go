package pack

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
)

// archive packs the pack's code as a gzipped tar and returns it with its SHA-256. The same files give the same bytes:
// names are sorted, times, owners and the umask's bits left out. Definitions are left out too: they are rows of the
// database, and an edited rule must not restart every sensor of its pack.
func (t *tree) archive() (content []byte, digest string, err error) {
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	out := tar.NewWriter(zip)
	for _, name := range t.code() {
		if err := t.addFile(out, name); err != nil {
			return nil, "", fmt.Errorf("archiving %s: %w", name, err)
		}
	}
	if err := out.Close(); err != nil {
		return nil, "", fmt.Errorf("closing the archive: %w", err)
	}
	if err := zip.Close(); err != nil {
		return nil, "", fmt.Errorf("closing the archive: %w", err)
	}
	sum := sha256.Sum256(b.Bytes())
	return b.Bytes(), hex.EncodeToString(sum[:]), nil
}

func (t *tree) addFile(out *tar.Writer, name string) error {
	content, err := fs.ReadFile(t.fsys, name)
	if err != nil {
		return err
	}
	mode := int64(0o644)
	if t.modes[name]&0o111 != 0 {
		mode = 0o755
	}
	header := &tar.Header{Name: name, Typeflag: tar.TypeReg, Size: int64(len(content)), Mode: mode, Format: tar.FormatPAX}
	if err := out.WriteHeader(header); err != nil {
		return err
	}
	_, err = out.Write(content)
	return err
}

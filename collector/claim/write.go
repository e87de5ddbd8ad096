package claim

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// WriteDir writes files into a new folder; one that is there must be empty.
func WriteDir(dir string, files []File) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	there, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read folder: %w", err)
	}
	if len(there) > 0 {
		return fmt.Errorf("write bundle: %s is not empty", dir)
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.Name), f.Body, 0o644); err != nil {
			return fmt.Errorf("write bundle: %w", err)
		}
	}
	return nil
}

// WriteTar writes files as a gzipped tar in a folder of their own. The same
// files are the same bytes: owners and times are left out.
func WriteTar(w io.Writer, folder string, files []File) error {
	z := gzip.NewWriter(w)
	t := tar.NewWriter(z)
	for _, f := range files {
		h := &tar.Header{Name: folder + "/" + f.Name, Mode: 0o644, Size: int64(len(f.Body)), ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
		if err := t.WriteHeader(h); err != nil {
			return fmt.Errorf("write %s: %w", f.Name, err)
		}
		if _, err := t.Write(f.Body); err != nil {
			return fmt.Errorf("write %s: %w", f.Name, err)
		}
	}
	return errors.Join(t.Close(), z.Close())
}

// Limits of a bundle that is read: a month of a node's minutes are some 60 MB.
const (
	maxFiles = 64
	maxBytes = 1 << 30
)

// ReadTar reads what WriteTar wrote. Names with folders other than the first are
// refused, so that nothing can be written outside of one.
func ReadTar(r io.Reader) ([]File, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("read bundle: %w", err)
	}
	t := tar.NewReader(z)
	var out []File
	left := int64(maxBytes)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read bundle: %w", err)
		}
		_, name, ok := strings.Cut(h.Name, "/")
		if !ok || h.Typeflag != tar.TypeReg || !plain(name) {
			return nil, fmt.Errorf("read bundle: %q is not a file of a bundle", h.Name)
		}
		body, err := io.ReadAll(io.LimitReader(t, left+1))
		if err != nil {
			return nil, fmt.Errorf("read bundle: %s: %w", name, err)
		}
		if left -= int64(len(body)); left < 0 || len(out) == maxFiles {
			return nil, fmt.Errorf("read bundle: it has more than %d files, or more than %d bytes", maxFiles, maxBytes)
		}
		out = append(out, File{name, body})
	}
}

// plain reports whether a name is one of a file and leads nowhere else.
func plain(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\\\x00")
}

// ReadDir reads the files of a folder.
func ReadDir(dir string) ([]File, error) {
	there, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read bundle: %w", err)
	}
	var out []File
	left := int64(maxBytes)
	for _, e := range there {
		info, err := e.Info()
		if err != nil {
			return nil, fmt.Errorf("read bundle: %w", err)
		}
		if info.Mode()&fs.ModeType != 0 {
			return nil, fmt.Errorf("read bundle: %s is not a file", filepath.Join(dir, e.Name()))
		}
		if left -= info.Size(); left < 0 || len(out) == maxFiles {
			return nil, fmt.Errorf("read bundle: %s has more than %d files, or more than %d bytes", dir, maxFiles, maxBytes)
		}
		body, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("read bundle: %w", err)
		}
		out = append(out, File{e.Name(), body})
	}
	return out, nil
}

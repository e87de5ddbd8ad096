// Command img takes the pictures of the documentation: it starts the demo, opens
// its page in Chromium, and writes what the first screen shows.
//
// What is on the picture is what the demo says on that day, of a fleet that
// follows from a seed: nothing is drawn or put right.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"image/png"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

// The screen: wide enough for the page's widest table, and as high as a laptop's.
const screen = "--window-size=1400,804"

const (
	// demoLimit is how long the demo may take to write its fleet's history,
	// shotLimit how long Chromium may take.
	demoLimit = 5 * time.Minute
	shotLimit = time.Minute
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	gpumeter := flag.String("gpumeter", "bin/gpumeter", "the program gpumeter")
	chromium := flag.String("chromium", "chromium", "the program chromium")
	out := flag.String("o", "docs/img/report.png", "picture to write")
	flag.Parse()
	if err := take(ctx, *gpumeter, *chromium, *out); err != nil {
		fmt.Fprintln(os.Stderr, "img:", err)
		os.Exit(1)
	}
}

// take takes the picture of a new demo, and ends what it started.
func take(ctx context.Context, gpumeter, chromium, out string) (err error) {
	dir, err := os.MkdirTemp("", "img-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	url, end, err := startDemo(ctx, gpumeter, filepath.Join(dir, "demo"))
	if err != nil {
		return fmt.Errorf("start the demo: %w", err)
	}
	defer end()
	shot, err := shoot(ctx, chromium, dir, url)
	if err != nil {
		return fmt.Errorf("open %s in Chromium: %w", url, err)
	}
	small, err := shrink(shot)
	if err != nil {
		return err
	}
	return os.WriteFile(out, small, 0o644)
}

// startDemo returns the address of its page once its history is there. end has it
// end, and waits for that.
func startDemo(ctx context.Context, gpumeter, dir string) (url string, end func(), err error) {
	cmd := exec.CommandContext(ctx, gpumeter, "demo", "--simulate", "--data", dir, "--listen", "127.0.0.1:0")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Stderr = os.Stderr
	said, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	end = func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_, _ = io.Copy(io.Discard, said)
		_ = cmd.Wait()
	}
	limit := time.AfterFunc(demoLimit, func() { _ = cmd.Process.Kill() })
	defer limit.Stop()
	for lines := bufio.NewScanner(said); lines.Scan(); {
		if url, ok := strings.CutPrefix(strings.TrimSpace(lines.Text()), "page "); ok {
			return strings.TrimSpace(url), end, nil
		}
	}
	end()
	return "", nil, errors.New("it ended before it named its page")
}

// shoot returns what Chromium shows of a page, as PNG.
func shoot(ctx context.Context, chromium, dir, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, shotLimit)
	defer cancel()
	file := filepath.Join(dir, "shot.png")
	cmd := exec.CommandContext(ctx, chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
		"--force-device-scale-factor=1", "--user-data-dir="+filepath.Join(dir, "profile"), screen, "--screenshot="+file, url)
	if said, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, bytes.TrimSpace(said))
	}
	return os.ReadFile(file)
}

// shrink writes a picture of text with 256 colours, which looks the same.
func shrink(shot []byte) ([]byte, error) {
	img, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		return nil, fmt.Errorf("read the picture: %w", err)
	}
	var out bytes.Buffer
	e := png.Encoder{CompressionLevel: png.BestCompression}
	if err := e.Encode(&out, paletted(img)); err != nil {
		return nil, fmt.Errorf("write the picture: %w", err)
	}
	return out.Bytes(), nil
}

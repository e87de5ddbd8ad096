package main

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"os"
	"testing"
)

// noise is a picture of so many colours, of which the first are the most.
func noise(colors int) image.Image {
	r := rand.New(rand.NewPCG(1, 2))
	img := image.NewRGBA(image.Rect(0, 0, 120, 60))
	for i := range 120 * 60 {
		c := i % colors
		if c >= 200 && r.IntN(3) > 0 {
			c %= 200
		}
		img.SetRGBA(i%120, i/120, color.RGBA{uint8(c), uint8(c / 3), uint8(c * 7 % 251), 255})
	}
	return img
}

func TestPicturesOfFewColoursStayTheSame(t *testing.T) {
	img := noise(250)
	out := paletted(img)
	for y := range 60 {
		for x := range 120 {
			if at(img, x, y) != at(out, x, y) {
				t.Fatalf("pixel %d,%d is %v, want %v", x, y, at(out, x, y), at(img, x, y))
			}
		}
	}
}

// TestEveryPixelHasTheNearestColour compares with all 256.
func TestEveryPixelHasTheNearestColour(t *testing.T) {
	square := func(a, b color.RGBA) (sum float64) {
		for _, d := range []float64{float64(a.R) - float64(b.R), float64(a.G) - float64(b.G), float64(a.B) - float64(b.B)} {
			sum += d * d
		}
		return sum
	}
	r := rand.New(rand.NewPCG(3, 4))
	img := image.NewRGBA(image.Rect(0, 0, 100, 50))
	for i := range 5000 {
		img.SetRGBA(i%100, i/100, color.RGBA{uint8(r.IntN(256)), uint8(r.IntN(8)), uint8(r.IntN(4)), 255})
	}
	out := paletted(img)
	if n := len(out.Palette); n < 40 || n > 256 {
		t.Fatalf("%d colours", n)
	}
	for i := range 5000 {
		want, got := at(img, i%100, i/100), at(out, i%100, i/100)
		for _, p := range out.Palette {
			if p, ok := p.(color.RGBA); ok && square(p, want) < square(got, want) {
				t.Fatalf("%v became %v, and %v is nearer", want, got, p)
			}
		}
	}
}

// TestASmallMarkKeepsItsColour has a thousand shades, and a mark of few pixels.
func TestASmallMarkKeepsItsColour(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 200, 100))
	for i := range 20_000 {
		img.SetRGBA(i%200, i/200, color.RGBA{uint8(i % 256), uint8((i + i/3%4) % 256), uint8((i + i/7%4) % 256), 255})
	}
	mark := color.RGBA{200, 20, 20, 255}
	img.SetRGBA(100, 50, mark)
	if got := at(paletted(img), 100, 50); got != mark {
		t.Errorf("the mark became %v", got)
	}
}

// TestPicturesAreSmall holds what a page of the documentation may weigh.
func TestPicturesAreSmall(t *testing.T) {
	text, err := os.ReadFile("report.png")
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.DecodeConfig(bytes.NewReader(text))
	if err != nil || len(text) > 150<<10 || img.Width != 1400 {
		t.Errorf("report.png: %d bytes, %d pixels wide, %v; want at most 150 KiB and 1400", len(text), img.Width, err)
	}
}

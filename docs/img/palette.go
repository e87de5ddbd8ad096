package main

import (
	"cmp"
	"image"
	"image/color"
	"slices"
)

// paletted returns a picture in 256 of its colours, see choose; others become the
// nearest of those. One with no more colours is the same.
func paletted(img image.Image) *image.Paletted {
	b := img.Bounds()
	count := map[color.RGBA]int{}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			count[at(img, x, y)]++
		}
	}
	colors := make([]color.RGBA, 0, len(count))
	for c := range count {
		colors = append(colors, c)
	}
	slices.SortFunc(colors, func(p, q color.RGBA) int {
		return cmp.Or(cmp.Compare(count[q], count[p]), cmp.Compare(number(p), number(q)))
	})
	palette := choose(colors)
	index := map[color.RGBA]uint8{}
	for _, c := range colors {
		index[c] = uint8(palette.Index(c)) //nolint:gosec // below 256
	}
	out := image.NewPaletted(b, palette)
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			out.SetColorIndex(x, y, index[at(img, x, y)])
		}
	}
	return out
}

// apart is the least distance, squared, of two colours that are chosen from many:
// without it the shades at the edges of letters leave no room for a small red mark.
const apart = 3 * 4 * 4

// choose returns up to 256 colours of those that a picture has, which come with
// what it has most of first.
func choose(colors []color.RGBA) color.Palette {
	var out color.Palette
	for _, c := range colors {
		near := func(p color.Color) bool {
			q, _ := p.(color.RGBA)
			return distance(c, q) < apart
		}
		if len(out) < 256 && (len(colors) <= 256 || !slices.ContainsFunc(out, near)) {
			out = append(out, c)
		}
	}
	return out
}

func distance(a, b color.RGBA) int {
	d := func(x, y uint8) int { return (int(x) - int(y)) * (int(x) - int(y)) }
	return d(a.R, b.R) + d(a.G, b.G) + d(a.B, b.B)
}

func at(img image.Image, x, y int) color.RGBA {
	c, _ := color.RGBAModel.Convert(img.At(x, y)).(color.RGBA)
	return c
}

func number(c color.RGBA) uint32 {
	return uint32(c.R)<<24 | uint32(c.G)<<16 | uint32(c.B)<<8 | uint32(c.A)
}
